using System.Text.Json;
using TaskService.Tests.Support;

namespace TaskService.Tests.Operations;

public sealed class RequestsEndpointTests
{
    private const string Secret = "the-secret-of-statistics";
    private const string Path = "/ops/requests.json";

    [Fact]
    public async Task Requests_have_the_fields_of_their_line_and_what_they_have_done()
    {
        using var logs = new LogFiles("info");
        await using var service = await StartAsync(logs.Yaml);
        Assert.Equal(0, (await GetAsync(service)).GetProperty("requests").GetArrayLength());
        await service.CreateAsync("""{"title":"a"}""");
        using var found = await service.SendAsync("GET", "/tasks/none?x=1", null, ("User-Agent", "a \"b\""));
        var requests = await RequestsAsync(service, 2);
        var (created, missing) = (requests[0], requests[1]);
        Assert.Equal(
            ["seq", "time", "id", "method", "uri", "status", "time_ms", "line", "operations"],
            created.EnumerateObject().Select(member => member.Name));
        Assert.Equal(["POST", "/tasks", "201"], Texts(created, "method", "uri", "status"));
        Assert.Equal(["GET", "/tasks/none?x=1", "404"], Texts(missing, "method", "uri", "status"));
        Assert.Equal(
            ["0 request route=/tasks", "1 request.store.create table=tasks row_count=1"],
            created.GetProperty("operations").EnumerateArray().Select(Shown));
        Assert.All(created.GetProperty("operations").EnumerateArray(), one => Assert.InRange(
            one.GetProperty("start_ms").GetDouble() + one.GetProperty("time_ms").GetDouble(),
            0,
            created.GetProperty("time_ms").GetDouble()));
        // As in the log, but for what stands before it there.
        var lines = await logs.LinesAsync("logfmt", 3);
        Assert.Equal(
            lines[1..].Select(line => line[line.IndexOf("req_id=", StringComparison.Ordinal)..]),
            requests.Select(one => one.GetProperty("line").GetString()));
        Assert.Equal(Assert.Single(found.Headers.GetValues("X-Request-ID")), missing.GetProperty("id").GetString());
    }

    [Fact]
    public async Task After_a_number_only_later_requests_are_there_and_probes_never()
    {
        await using var service = await StartAsync();
        await GetAsync(service);
        using var first = await service.SendAsync("GET", "/tasks");
        using var ready = await service.SendAsync("GET", "/health/ready");
        var before = await RequestsAsync(service, 1);
        Assert.Equal("/tasks", before[0].GetProperty("uri").GetString());
        var last = (await GetAsync(service)).GetProperty("last").GetInt64();
        using var second = await service.SendAsync("GET", "/tasks/none");
        var after = Assert.Single(await RequestsAsync(service, 1, $"?after={last}"));
        Assert.Equal("/tasks/none", after.GetProperty("uri").GetString());
        Assert.True(after.GetProperty("seq").GetInt64() > before[0].GetProperty("seq").GetInt64());
    }

    [Theory]
    [InlineData("?after=")]
    [InlineData("?after=-1")]
    [InlineData("?after=abc")]
    [InlineData("?after=1&after=2")]
    [InlineData("?after=99999999999999999999")]
    public async Task Another_number_is_400(string query)
    {
        await using var service = await StartAsync();
        using var client = service.Operator(Secret);
        using var response = await client.GetAsync(new Uri(Path + query, UriKind.Relative));
        var body = await ErrorBody.AssertAsync(response, 400, "Invalid query", "GET", Path);
        Assert.StartsWith("after must be", body.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    private static Task<RunningService> StartAsync(string? logging = null) =>
        RunningService.StartAsync(logging: logging, operations: $"stats-secret: {Secret}");

    private static async Task<JsonElement> GetAsync(RunningService service, string query = "")
    {
        using var client = service.Operator(Secret);
        return JsonElement.Parse(await client.GetStringAsync(new Uri(Path + query, UriKind.Relative)));
    }

    /// <summary>Waits for so many: a response is received a moment before its request has ended.</summary>
    private static async Task<List<JsonElement>> RequestsAsync(RunningService service, int count, string query = "")
    {
        List<JsonElement> found = [];
        await Until.TrueAsync(
            async () =>
            {
                found = [.. (await GetAsync(service, query)).GetProperty("requests").EnumerateArray()];
                return found.Count >= count;
            },
            $"{count} requests");
        Assert.Equal(count, found.Count);
        return found;
    }

    private static IEnumerable<string> Texts(JsonElement one, params IEnumerable<string> names) =>
        names.Select(name => $"{one.GetProperty(name)}");

    private static string Shown(JsonElement operation)
    {
        var fields = operation.GetProperty("fields").EnumerateObject()
            .Where(field => field.Name is "route" or "table" or "row_count")
            .Select(field => $"{field.Name}={field.Value}");
        return $"{operation.GetProperty("depth")} {operation.GetProperty("type")} {string.Join(' ', fields)}";
    }
}
