using TaskService.Tests.Support;

namespace TaskService.Tests.Docs;

/// <summary>The sessions of <c>docs/http.md</c> are real.</summary>
[Trait("Suite", "integration")]
public sealed class HttpDocumentTests
{
    [Fact]
    public async Task Its_sessions_run_word_for_word()
    {
        using var directory = new TemporaryDirectory();
        await using var service = await RunningService.StartAsync();
        var session = new ConsoleSession(directory.Path, new Uri($"http://localhost:{service.Port}"));
        var blocks = ConsoleSession.BlocksOf(await File.ReadAllTextAsync(TestRoot.File("docs", "http.md")));
        // The page explains refusals first, but its tasks are made further down.
        foreach (var block in blocks.Skip(1).Append(blocks[0]))
        {
            Assert.InRange(await session.AssertAsync(block), 2, 7);
        }
        Assert.Equal(6, blocks.Count);
    }
}
