namespace TaskService.Tests.Support;

/// <summary>
/// The log of services that tests start, in the output of their test, when the environment asks for it. The console of
/// a test goes nowhere; the project has <c>dotnet test</c> show the output of each test then.
/// </summary>
internal static class TestLog
{
    public const string Variable = "TASKSERVICE_TEST_LOG";

    /// <summary>The level to log at, such as <c>debug</c>; null when nobody wants to see any.</summary>
    public static string? Level { get; } =
        Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } level ? level : null;

    /// <summary>Shows lines in the output of the test that runs. Nothing is shown of what outlives its test.</summary>
    /// <param name="of">What wrote them.</param>
    /// <param name="lines">Read only when they are shown.</param>
    public static void Show(string of, IEnumerable<string> lines)
    {
        if (Level is not null && TestContext.Current.TestOutputHelper is { } output)
        {
            output.WriteLine($"--- {of}");
            foreach (var line in lines)
            {
                output.WriteLine(line);
            }
        }
    }
}
