namespace TaskService.Domain;

/// <summary>
/// Which content a task has: the XXH3 hash of it in 128 bits, the same on every engine and machine.
/// Equal content has an equal version, so writing back what was there restores the old one.
/// It tells changes from each other, not forgeries: who may write a task could make two contents with one version, and
/// would fool whoever compares versions of that task. SHA-256 costs 0.5 us more, a fortieth of a create.
/// </summary>
internal readonly record struct TaskVersion(UInt128 Hash)
{
    /// <summary>32 lower-case hexadecimal digits.</summary>
    public override string ToString() => Hash.ToString("x32", null);
}
