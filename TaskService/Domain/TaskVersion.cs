namespace TaskService.Domain;

/// <summary>
/// The XXH3 hash of a task's content in 128 bits, the same on every engine and machine.
/// Equal content has an equal version, so writing back the old content restores the old version.
/// The hash detects changes, not forgeries: a client that may write a task could construct two contents with one
/// version, and deceive clients that compare versions of that task. SHA-256 costs 0.5 us more, a fortieth of a create.
/// </summary>
internal readonly record struct TaskVersion(UInt128 Hash)
{
    /// <summary>32 lower-case hexadecimal digits.</summary>
    public override string ToString() => Hash.ToString("x32", null);
}
