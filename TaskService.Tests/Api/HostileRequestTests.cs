using System.Text;
using System.Text.Json;
using FsCheck.Fluent;
using TaskService.Tests.Support;

namespace TaskService.Tests.Api;

/// <summary>Nothing that a client sends makes the service answer 5xx, answer nonsense, or stop answering.</summary>
public sealed class HostileRequestTests : IAsyncLifetime
{
    private readonly LogFiles files = new();
    private RunningService service = null!;

    public async ValueTask InitializeAsync() => service = await RunningService.StartAsync(logging: files.Yaml);

    public async ValueTask DisposeAsync()
    {
        await service.DisposeAsync();
        files.Dispose();
    }

    [Fact]
    public async Task Whatever_is_sent_is_answered_with_less_than_500_and_errors_say_what_is_wrong()
    {
        const int atOnce = 8;
        var statuses = new Dictionary<int, int>();
        for (var left = TestRoot.Scale(2_000, 20_000); left > 0; left -= 200)
        {
            foreach (var some in SomeRequest.All.Sample(200).Chunk(atOnce))
            {
                var answers = await Task.WhenAll(some.Select(SendAsync));
                foreach (var status in answers)
                {
                    statuses[status] = statuses.GetValueOrDefault(status) + 1;
                }
            }
        }
        TestContext.Current.TestOutputHelper?.WriteLine(
            string.Join(' ', statuses.OrderBy(pair => pair.Key).Select(pair => $"{pair.Key}:{pair.Value}")));
        // A generator that only made nonsense would not reach the code behind the first checks.
        Assert.Superset(new HashSet<int> { 200, 201, 204, 400, 404, 405, 413, 415 }, statuses.Keys.ToHashSet());
        using var alive = await service.SendAsync("GET", "/health/ready");
        Assert.Equal(200, (int)alive.StatusCode);
        Assert.All(files.Read("logfmt"), line => Assert.NotEqual("ERROR", LogfmtLine.Parse(line)["level"]));
    }

    private async Task<int> SendAsync(SomeRequest request)
    {
        var answer = await RawClient.SendAsync(service.Port, request.Bytes, request.IsCut);
        var sent = Encoding.Latin1.GetString(request.Bytes, 0, Math.Min(request.Bytes.Length, 2_000));
        Assert.True(answer.Status < 500 || answer.Status == 505, $"{answer.Head}\n\nis the answer to\n\n{sent}");
        Assert.True(answer.Status > 0 || request.IsCut, $"no answer to\n\n{sent}");
        if (answer.Status >= 400 && answer.Body.Length > 0)
        {
            using var problem = JsonDocument.Parse(answer.Body);
            Assert.Equal(answer.Status, problem.RootElement.GetProperty("status").GetInt32());
            Assert.NotEqual("", problem.RootElement.GetProperty("message").GetString());
            Assert.Equal(answer.Header("X-Request-ID"), problem.RootElement.GetProperty("request_id").GetString());
            Assert.DoesNotContain("   at ", answer.Body, StringComparison.Ordinal);
        }
        return answer.Status;
    }
}
