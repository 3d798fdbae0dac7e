using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using TaskService.Tests.Support;
using Xunit.Sdk;

namespace TaskService.Tests.Http.OpenApi;

/// <summary>
/// The description of the API says what the service does. Besides what is asked here, every client of the tests
/// compares every answer with it (<see cref="ApiContract"/>).
/// </summary>
public sealed class OpenApiTests : IAsyncLifetime
{
    // What takes a failure, an overload or a slow client; these have tests of their own.
    private static readonly int[] NotOnDemand = [408, 409, 500, 503, 507];

    private RunningService service = null!;

    public async ValueTask InitializeAsync() =>
        service = await RunningService.StartAsync(http: "body-bytes-max: 1000");

    public async ValueTask DisposeAsync() => await service.DisposeAsync();

    [Fact]
    public async Task It_has_a_version_and_codings_like_everything_that_is_read()
    {
        using var first = await service.SendAsync("GET", "/openapi.json");
        var tag = first.Headers.ETag!.Tag;
        using var again = await service.SendAsync("GET", "/openapi.json", null, ("If-None-Match", tag));
        Assert.Equal(304, (int)again.StatusCode);
        using var coded = await service.SendAsync("GET", "/openapi.json", null, ("Accept-Encoding", "gzip"));
        Assert.Equal(tag.Insert(tag.Length - 1, "-gzip"), coded.Headers.ETag!.Tag);
    }

    [Fact]
    public async Task Each_operation_is_described_and_has_its_methods_from_the_routes()
    {
        var contract = await ApiContract.GetAsync();
        foreach (var (path, item) in contract.Document["paths"]!.AsObject())
        {
            foreach (var (method, operation) in item!.AsObject())
            {
                Assert.NotEqual("", (string)operation!["summary"]!);
                Assert.Contains(operation["responses"]!.AsObject(), answer => answer.Key[0] == '2');
            }
            using var options = await service.SendAsync("OPTIONS", Sample(path));
            Assert.Equal(
                ApiContract.MethodsOf(item.AsObject().Select(pair => pair.Key)).Order(),
                options.Content.Headers.Allow.Order());
        }
    }

    [Fact]
    public async Task Every_example_conforms_to_its_schema()
    {
        var contract = await ApiContract.GetAsync();
        var checkedExamples = 0;
        foreach (var media in All(contract.Document).Where(node => node["schema"]?["$ref"] is not null))
        {
            var schema = ((string)media["schema"]!["$ref"]!).Split('/')[^1];
            // An endpoint that has only what the framework knows of it has no example.
            var examples = media["examples"]?.AsObject().Select(pair => pair.Value!["value"]!)
                ?? (media["example"] is { } only ? [only] : []);
            foreach (var example in examples)
            {
                Assert.Empty(contract.Validate(schema, example.ToJsonString()));
                checkedExamples++;
            }
        }
        Assert.InRange(checkedExamples, 50, 500);
        // The check can fail.
        Assert.NotEmpty(contract.Validate("Task", """{"title":""}"""));
        Assert.NotEmpty(contract.Validate("Tasks", """{"1":{"title":1}}"""));
        Assert.NotEmpty(contract.Validate("TaskPatch", """{"title":null}"""));
        Assert.Empty(contract.Validate("TaskPatch", """{"due_date":null,"priority":null}"""));
    }

    [Fact]
    public async Task Every_answer_that_it_promises_can_be_had()
    {
        var seen = new HashSet<string>();
        var task = await service.CreateAsync(Some.TaskJson);
        using var read = await service.SendAsync("GET", task);
        var tag = read.Headers.ETag!.Tag;
        (string, string)[] reads =
            [("/", "/"), ("/tasks", "/tasks"), ("/tasks/{id}", task), ("/openapi.json", "/openapi.json")];
        foreach (var (path, target) in reads)
        {
            using var whole = await service.SendAsync("GET", target);
            foreach (var method in new[] { "GET", "HEAD" })
            {
                await SeeAsync(path, method, target);
                await SeeAsync(path, method, target, null, ("If-None-Match", whole.Headers.ETag!.Tag));
                await SeeAsync(path, method, target, null, ("If-Match", "\"x\""));
                await SeeAsync(path, method, target, null, ("Accept", "text/html"));
                await SeeAsync("/tasks", method, "/tasks?limit=0");
                await SeeAsync("/tasks/{id}", method, "/tasks/none");
                await SeeAsync("/health/live", method, "/health/live");
                await SeeAsync("/health/ready", method, "/health/ready");
            }
        }
        (string, string, string)[] writes =
            [("/tasks", "POST", "/tasks"), ("/tasks/{id}", "PUT", task), ("/tasks/{id}", "PATCH", task)];
        foreach (var (path, method, target) in writes)
        {
            await SeeAsync(path, method, target, Some.TaskJson);
            await SeeAsync(path, method, target, "{");
            await SeeAsync(path, method, target, new string(' ', 1_001));
            await SeeAsync(path, method, target, Some.TaskJson, ("Content-Encoding", "br"));
            var trailers = $"{method} {target} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: "
                + new string('x', 40_000) + "\r\n\r\n";
            var answer = await RawClient.SendAsync(service.Port, System.Text.Encoding.Latin1.GetBytes(trailers));
            seen.Add($"{method} {path} {answer.Status}");
        }
        await SeeAsync("/tasks", "POST", "/tasks", Some.TaskJson, ("Idempotency-Key", "a"));
        await SeeAsync("/tasks", "POST", "/tasks", """{"title":"b"}""", ("Idempotency-Key", "a"));
        foreach (var method in new[] { "PUT", "PATCH", "DELETE" })
        {
            var body = method == "DELETE" ? null : Some.TaskJson;
            await SeeAsync("/tasks/{id}", method, "/tasks/none", body);
            await SeeAsync("/tasks/{id}", method, task, body, ("If-Match", "\"x\""));
        }
        await SeeAsync("/tasks/{id}", "DELETE", task, null, ("If-Match", tag));
        // Endpoints that a team has added have tests of their own.
        var paths = seen.Select(one => one.Split(' ')[1]).ToHashSet();
        var promised = Promised((await ApiContract.GetAsync()).Document)
            .Where(one => paths.Contains(one.Split(' ')[1]));
        Assert.Equal(promised.Order(), seen.Order());

        async Task SeeAsync(
            string path, string method, string target, string? body = null, params (string, string)[] headers)
        {
            using var content = body is null ? null : RunningService.Json(body);
            foreach (var (name, value) in headers)
            {
                _ = name.StartsWith("Content", StringComparison.Ordinal)
                    && content!.Headers.TryAddWithoutValidation(name, value);
            }
            using var response = await service.SendAsync(method, target, content, headers);
            seen.Add($"{method} {path} {(int)response.StatusCode}");
        }
    }

    [Theory]
    [InlineData("GET", "/tasks", 200, "X-Request-ID: a|Cache-Control: a", null, true)]
    [InlineData("GET", "/tasks/?x", 200, "X-Request-ID: a|Cache-Control: a", null, true)]
    [InlineData("GET", "/tasks", 201, "X-Request-ID: a|Cache-Control: a", null, false)]
    [InlineData("GET", "/tasks", 200, "X-Request-ID: a|Cache-Control: a|X-New: 1", null, false)]
    [InlineData("GET", "/tasks", 200, "X-Request-ID: a", null, false)]
    [InlineData("GET", "/tasks", 200, "X-Request-ID: a|Cache-Control: a|Content-Type: application/json", "[]", false)]
    [InlineData("GET", "/tasks", 200, "X-Request-ID: a|Cache-Control: a|Content-Type: text/html", "{}", false)]
    [InlineData("GET", "/tasks", 400, "X-Request-ID: a|Cache-Control: a|Content-Type: application/problem+json",
        """{"type":"a"}""", false)]
    [InlineData("BREW", "/tasks", 405, "X-Request-ID: a|Cache-Control: a|Allow: GET, HEAD, POST, OPTIONS", null, true)]
    [InlineData("BREW", "/tasks", 405, "X-Request-ID: a|Cache-Control: a|Allow: GET", null, false)]
    [InlineData("BREW", "/tasks", 404, "X-Request-ID: a|Cache-Control: a", null, false)]
    [InlineData("GET", "/nope", 404, "X-Request-ID: a|Cache-Control: a", null, true)]
    [InlineData("GET", "/nope", 200, "X-Request-ID: a|Cache-Control: a", null, false)]
    [InlineData("GET", "/tasks", 431, "Connection: close", null, true)]
    [InlineData("GET", "/tasks", 500, "Connection: close", null, false)]
    [InlineData("GET", "/tasks", 400, "Connection: close", "x", false)]
    public async Task An_answer_that_it_does_not_promise_is_found(
        string method, string target, int status, string headers, string? body, bool isPromised)
    {
        var contract = await ApiContract.GetAsync();
        var given = headers.Split('|').Select(header => header.Split(": "))
            .ToDictionary(pair => pair[0], pair => pair[1]);
        var error = Record.Exception(() => contract.AssertAnswer(method, target, status, given, body));
        Assert.True(isPromised ? error is null : error is XunitException, $"{error}");
    }

    [Theory]
    [InlineData("GET", "/tasks", "/Tasks/TaskRoutes.cs, after .WithName(\"listTasks\")")]
    [InlineData("DELETE", "/tasks/1", "/Tasks/TaskRoutes.cs, after .WithName(\"deleteTask\")")]
    [InlineData("HEAD", "/health/live", "TaskService/Operations/Health.cs, after .WithName(\"live\")")]
    [InlineData("GET", "/nope", "Http/OpenApi/OpenApiDocument.cs")]
    public async Task A_response_that_it_does_not_promise_names_the_file_to_edit(
        string method, string target, string file)
    {
        var contract = await ApiContract.GetAsync();
        var headers = new Dictionary<string, string> { ["X-Request-ID"] = "a", ["Cache-Control"] = "a" };
        var error = Assert.ThrowsAny<XunitException>(
            () => contract.AssertAnswer(method, target, 202, headers, body: null));
        Assert.Contains(file, error.Message, StringComparison.Ordinal);
    }

    private static string Sample(string path) => Regex.Replace(path, @"\{\w+\}", "none");

    private static IEnumerable<string> Promised(JsonNode document) =>
        from path in document["paths"]!.AsObject()
        from operation in path.Value!.AsObject()
        from answer in operation.Value!["responses"]!.AsObject()
        where int.TryParse(answer.Key, out _)
        let status = int.Parse(answer.Key, null)
        where !NotOnDemand.Contains(status)
        from method in operation.Key == "get" ? ["GET", "HEAD"] : new[] { operation.Key.ToUpperInvariant() }
        select $"{method} {path.Key} {status}";

    private static IEnumerable<JsonNode> All(JsonNode? node) => node switch
    {
        JsonObject map => map.SelectMany(pair => All(pair.Value)).Prepend(map),
        JsonArray list => list.SelectMany(All),
        _ => [],
    };
}
