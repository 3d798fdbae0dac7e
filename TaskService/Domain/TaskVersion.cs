namespace TaskService.Domain;

/// <summary>
/// Which content a task has: the first 128 bits of the SHA-256 of it, the same on every engine and machine.
/// Equal content has an equal version, so writing back what was there restores the old one.
/// </summary>
internal readonly record struct TaskVersion(UInt128 Hash)
{
    /// <summary>32 lower-case hexadecimal digits.</summary>
    public override string ToString() => Hash.ToString("x32", null);
}
