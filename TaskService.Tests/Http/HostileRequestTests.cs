using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using FsCheck.Fluent;
using TaskService.Tests.Support;

namespace TaskService.Tests.Http;

/// <summary>Nothing that a client sends makes the service answer 5xx, answer nonsense, or stop answering.</summary>
public sealed class HostileRequestTests
{
    private const int RequestsOfRound = 2_000;
    private const int RequestsOfBatch = 200;

    [Fact]
    public async Task Whatever_is_sent_is_answered_with_less_than_500_and_errors_say_what_is_wrong()
    {
        var statuses = new ConcurrentDictionary<int, int>();
        // Each round on a new service, so that the list does not grow for ever.
        for (var left = TestRoot.Scale(RequestsOfRound, 1_000_000); left > 0; left -= RequestsOfRound)
        {
            await RoundAsync(statuses);
        }
        TestContext.Current.TestOutputHelper?.WriteLine(
            string.Join(' ', statuses.OrderBy(pair => pair.Key).Select(pair => $"{pair.Key}:{pair.Value}")));
        // A generator that only made nonsense would not reach the code behind the first checks.
        Assert.Superset(new HashSet<int> { 200, 201, 204, 400, 404, 405, 413, 415 }, statuses.Keys.ToHashSet());
    }

    private static async Task RoundAsync(ConcurrentDictionary<int, int> statuses)
    {
        using var directory = new TemporaryDirectory();
        var log = directory.File("log");
        var handler = $"{{ type: file, path: '{log}', format: logfmt, max-bytes: 0 }}";
        await using var service = await RunningService.StartAsync(
            logging: $"logging: {{ handlers: {{ file: {handler} }} }}");
        var sending = Parallel.ForEachAsync(
            Enumerable.Range(0, RequestsOfRound / RequestsOfBatch),
            new ParallelOptions { MaxDegreeOfParallelism = 8 },
            async (_, _) =>
            {
                using var client = new RawClient(service.Port);
                foreach (var request in SomeRequest.All.Sample(RequestsOfBatch).Append(SomeRequest.TooLarge))
                {
                    statuses.AddOrUpdate(await SendAsync(client, request), 1, (_, count) => count + 1);
                }
            });
        await Task.WhenAny(sending);
        using var alive = await service.SendAsync("GET", "/health/ready");
        Assert.Equal(200, (int)alive.StatusCode);
        await service.StopAsync();
        // First, since it says more than an answer that did not come.
        Assert.DoesNotContain(
            File.ReadLines(log), line => line.Contains(" level=\"ERROR\" ", StringComparison.Ordinal));
        await sending;
    }

    private static async Task<int> SendAsync(RawClient client, SomeRequest request)
    {
        var answer = await client.SendAsync(request.Bytes, request.IsCut);
        var sent = Encoding.Latin1.GetString(request.Bytes, 0, Math.Min(request.Bytes.Length, 2_000));
        Assert.True(answer.Status < 500 || answer.Status == 505, $"{answer.Head}\n\nis the answer to\n\n{sent}");
        Assert.True(answer.Status > 0 || request.IsCut, $"no answer ({answer.Instead}) to\n\n{sent}");
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
