namespace TaskService.Storage.FileSystem;

/// <summary>Classifies disk errors. On Unix the framework keeps errno in <c>HResult</c>.</summary>
internal static class DiskErrors
{
    private const int NoSpace = 28;
    private const int QuotaLinux = 122;
    private const int QuotaMac = 69;
    private const int WindowsDiskFull = unchecked((int)0x80070070);
    private const int WouldBlockLinux = 11;
    private const int WouldBlockMac = 35;
    private const int WindowsSharingViolation = unchecked((int)0x80070020);

    /// <summary>Whether there was no room, on the disk or in the quota.</summary>
    public static bool IsFull(Exception error) => error.HResult switch
    {
        NoSpace => !OperatingSystem.IsWindows(),
        QuotaLinux => OperatingSystem.IsLinux(),
        QuotaMac => OperatingSystem.IsMacOS(),
        WindowsDiskFull => OperatingSystem.IsWindows(),
        _ => false,
    };

    /// <summary>Whether another process holds a lock on the file.</summary>
    public static bool IsLocked(Exception error) => error.HResult switch
    {
        WouldBlockLinux => OperatingSystem.IsLinux(),
        WouldBlockMac => OperatingSystem.IsMacOS(),
        WindowsSharingViolation => OperatingSystem.IsWindows(),
        _ => false,
    };
}
