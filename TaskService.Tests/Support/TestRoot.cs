namespace TaskService.Tests.Support;

/// <summary>Where the repository is, and how large the long tests are.</summary>
internal static class TestRoot
{
    /// <summary>The directory that holds the solution.</summary>
    public static string Path { get; } = Find();

    /// <summary>
    /// The one setting that tells small counts (<c>dotnet test</c>) from full ones (<c>run.cs check --long</c>).
    /// </summary>
    public static bool IsLong => Environment.GetEnvironmentVariable("TASKSERVICE_TEST_SCALE") == "long";

    public static int Scale(int small, int full) => IsLong ? full : small;

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
