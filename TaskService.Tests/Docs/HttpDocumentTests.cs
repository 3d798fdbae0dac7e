using System.Text.RegularExpressions;
using TaskService.Tests.Support;

namespace TaskService.Tests.Docs;

/// <summary>The sessions of <c>docs/http.md</c> are real.</summary>
[Trait("Suite", "integration")]
public sealed partial class HttpDocumentTests
{
    private static readonly string Document =
        File.ReadAllText(TestRoot.File("docs", "http.md")).ReplaceLineEndings("\n");

    [Fact]
    public async Task Its_sessions_run_word_for_word()
    {
        using var directory = new TemporaryDirectory();
        await using var service = await RunningService.StartAsync();
        var session = new ConsoleSession(directory.Path, new Uri($"http://localhost:{service.Port}"));
        var blocks = ConsoleSession.BlocksOf(WithSettings().Replace(Document, ""));
        // The page explains refusals first, but its tasks are made further down.
        foreach (var block in blocks.Skip(1).Append(blocks[0]))
        {
            Assert.InRange(await session.AssertAsync(block), 2, 7);
        }
        Assert.Equal(6, blocks.Count);
    }

    [Fact]
    public async Task A_session_behind_settings_runs_with_them()
    {
        using var directory = new TemporaryDirectory();
        var sessions = WithSettings().Matches(Document);
        Assert.Equal(3, sessions.Count);
        foreach (var groups in sessions.Select(session => session.Groups))
        {
            await using var service = await RunningService.StartAsync(http: groups[1].Value);
            var session = new ConsoleSession(directory.Path, new Uri($"http://localhost:{service.Port}"));
            Assert.InRange(await session.AssertAsync(groups[2].Value), 2, 3);
        }
    }

    [GeneratedRegex("```yaml\nhttp: { ([^\n]*) }\n```\n\n```console\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex WithSettings();
}
