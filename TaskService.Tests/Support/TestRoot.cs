namespace TaskService.Tests.Support;

/// <summary>Where the repository is, and which counts the long tests take.</summary>
internal static class TestRoot
{
    /// <summary>The directory that holds the solution.</summary>
    public static string Path { get; } = Find();

    /// <summary>Whether tests take full counts (<c>run.cs soak</c>) rather than small ones.</summary>
    public static bool IsSoak => Environment.GetEnvironmentVariable("TASKSERVICE_TEST_SCALE") == "soak";

    public static int Scale(int small, int full) => IsSoak ? full : small;

    public static string File(params string[] names) => System.IO.Path.Combine([Path, .. names]);

    private static string Find()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory.GetFiles("*.sln").Length == 0)
        {
            directory = directory.Parent ?? throw new InvalidOperationException("no solution above the tests");
        }
        return directory.FullName;
    }
}
