using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using TaskService.Acceptance;
using TaskService.Tests.Support;

namespace TaskService.Tests.Acceptance;

/// <summary>Each assertion of the kit fails on a response that violates it, and on no other.</summary>
public sealed class ApiConnectionTests
{
    private const string Origin = "https://shop.example";

    /// <summary>Changes of a good response; what is expected says why it fails then.</summary>
    private static readonly Dictionary<string, (Action<Answer> Break, string What)> Successes = new()
    {
        ["another status"] = (answer => answer.Status = 201, "expected status 200, was 201"),
        ["a failure"] = (answer => answer.Status = 500, "expected status 200, was 500"),
        ["a redirect"] = (
            answer => (answer.Status, answer.Headers["Location"]) = (302, "/"), "expected status 200, was 302"),
        ["no id"] = (answer => answer.Headers.Remove("X-Request-ID"), "expected one X-Request-ID"),
        ["two ids"] = (answer => answer.Headers["X-Request-ID"] = "a, b", "expected one X-Request-ID"),
        ["another type"] = (
            answer => answer.Headers["Content-Type"] = "text/html",
            "expected Content-Type application/json, was text/html"),
        ["no type"] = (
            answer => answer.Headers.Remove("Content-Type"), "expected Content-Type application/json, was none"),
        ["a type without a body"] = (answer => answer.Body = "", "expected no Content-Type, was application/json"),
        ["no caching"] = (
            answer => answer.Headers.Remove("Cache-Control"),
            "expected Cache-Control with no-cache or no-store, was none"),
        ["other caching"] = (
            answer => answer.Headers["Cache-Control"] = "max-age=60",
            "expected Cache-Control with no-cache or no-store, was max-age=60"),
        ["no CORS"] = (
            answer => answer.Headers.Remove("Access-Control-Allow-Origin"),
            $"expected Access-Control-Allow-Origin: {Origin}, was none"),
        ["another origin"] = (
            answer => answer.Headers["Access-Control-Allow-Origin"] = "https://evil.example",
            $"expected Access-Control-Allow-Origin: {Origin}, was https://evil.example"),
        ["any origin with credentials"] = (
            answer => answer.Headers["Access-Control-Allow-Origin"] = "*",
            $"expected Access-Control-Allow-Origin: {Origin}, was *"),
        ["no credentials"] = (
            answer => answer.Headers.Remove("Access-Control-Allow-Credentials"),
            "expected Access-Control-Allow-Credentials: true, was none"),
    };

    private static readonly Dictionary<string, (Action<Answer> Break, string What)> Failures = new()
    {
        ["JSON that is no problem"] = (
            answer => answer.Headers["Content-Type"] = "application/json",
            "expected Content-Type application/problem+json, was application/json"),
        ["no JSON"] = (answer => answer.Body = "sorry", "the body is not JSON: "),
        ["no object"] = (answer => answer.Body = "[]", "expected an object as problem"),
        ["no type"] = Member("type", null, "about:blank"),
        ["another type"] = Member("type", "\"https://a.example\"", "about:blank"),
        ["no title"] = Member("title", null, "as text"),
        ["a title that is no text"] = Member("title", "1", "as text"),
        ["no status"] = Member("status", null, "404"),
        ["another status"] = Member("status", "400", "404"),
        ["a status that is a text"] = Member("status", "\"404\"", "404"),
        ["no method"] = Member("method", null, "GET"),
        ["another method"] = Member("method", "\"get\"", "GET"),
        ["no uri"] = Member("uri", null, "/tasks/none"),
        ["a uri with its query"] = Member("uri", "\"/tasks/none?x=1\"", "/tasks/none"),
        ["no code"] = Member("code", null, "404"),
        ["another code"] = Member("code", "404.5", "404"),
        ["no message"] = Member("message", null, "Not here"),
        ["another message"] = Member("message", "\"Nowhere\"", "Not here"),
        ["no request_id"] = Member("request_id", null, "id1"),
        ["another request_id"] = Member("request_id", "\"id2\"", "id1"),
    };

    public static TheoryData<string> SuccessNames => [.. Successes.Keys];

    public static TheoryData<string> FailureNames => [.. Failures.Keys];

    [Fact]
    public async Task A_good_response_holds()
    {
        await using var server = await StartAsync(_ => { });
        using var api = new ApiConnection(server.Url, origin: Origin, credentials: true);
        var response = await api.GetAsync("/tasks");
        Assert.Equal("{}", response.RequireJson("{}").Body);
        Assert.Equal("no-cache", response.Header("cache-control"));
        var problem = await api.GetAsync("/tasks/none?x=1", Expected.Problem(404, "Not here"));
        Assert.Equal("Not Found", problem.Json.GetProperty("title").GetString());
        await api.GetAsync("/tasks/none", new Expected(200, 404));
    }

    [Theory]
    [MemberData(nameof(SuccessNames))]
    public async Task A_response_that_violates_an_assertion_fails(string violation)
    {
        var (breaks, what) = Successes[violation];
        await using var server = await StartAsync(breaks);
        using var api = new ApiConnection(server.Url, origin: Origin, credentials: true);
        var error = await Assert.ThrowsAsync<AcceptanceException>(
            () => api.PutAsync("/tasks", """{"title":"t"}""", 200, ("If-Match", "*")));
        Assert.Equal($"PUT /tasks: {what}", error.What);
        Assert.StartsWith(
            "> PUT /tasks\n> If-Match: *\n> Content-Type: application/json\n>\n> {\"title\":\"t\"}\n< ",
            error.Exchange);
        Assert.Equal($"{error.What}\n{error.Exchange}", error.Message);
    }

    [Theory]
    [MemberData(nameof(FailureNames))]
    public async Task A_problem_that_violates_an_assertion_fails(string violation)
    {
        var (breaks, what) = Failures[violation];
        await using var server = await StartAsync(breaks);
        using var api = new ApiConnection(server.Url);
        var error = await Assert.ThrowsAsync<AcceptanceException>(
            () => api.GetAsync("/tasks/none?x=1", Expected.Problem(404, "Not here")));
        Assert.StartsWith($"GET /tasks/none?x=1: {what}", error.What);
        Assert.Contains("\n< 404\n", error.Exchange, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_allowed_explicitly_holds()
    {
        await using var server = await StartAsync(answer =>
        {
            answer.Headers["Content-Type"] = "text/html; charset=utf-8";
            answer.Headers["Cache-Control"] = "max-age=60";
            answer.Headers["Access-Control-Allow-Origin"] = "*";
        });
        using var api = new ApiConnection(server.Url, origin: Origin);
        var page = await api.GetAsync("/", new Expected(200) { ContentType = "text/html", MayBeCached = true });
        Assert.Equal("*", page.Header("Access-Control-Allow-Origin"));
        await api.GetAsync("/", new Expected(200) { ContentType = null, MayBeCached = true });
    }

    [Fact]
    public async Task Each_method_has_the_status_of_its_success()
    {
        string[] methods = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];
        var seen = new List<string>();
        await using var server = await StubServer.StartAsync(async http =>
        {
            seen.Add($"{http.Request.Method} {http.Request.ContentType}".Trim());
            var answer = new Answer
            {
                Status = http.Request.Method switch { "GET" or "HEAD" => 200, "POST" => 201, _ => 204 },
            };
            if (answer.Status != 200)
            {
                answer.Body = "";
                answer.Headers.Remove("Content-Type");
            }
            await answer.WriteAsync(http);
        });
        using var api = new ApiConnection(server.Url);
        await api.GetAsync("/");
        Assert.Equal("", (await api.HeadAsync("/")).Body);
        await api.OptionsAsync("/");
        await api.PostAsync("/", "{}");
        await api.PutAsync("/", "{}");
        await api.PatchAsync("/", "{}");
        await api.DeleteAsync("/");
        Assert.Equal(methods, seen.Select(line => line.Split(' ')[0]));
        Assert.Equal("PATCH application/merge-patch+json", seen[5]);
    }

    [Fact]
    public async Task A_header_or_a_body_that_is_another_fails()
    {
        await using var server = await StartAsync(_ => { });
        using var api = new ApiConnection(server.Url);
        var response = await api.GetAsync("/tasks");
        response.RequireHeader("Link", null).RequireHeader("Cache-Control", "no-cache").RequireJson(" { } ");
        response.RequireMember("Vary", "Origin");
        Assert.Contains("expected Vary with A, was Accept, Origin", Fails(() => response.RequireMember("Vary", "A")));
        Assert.Contains("expected Link with x, was none", Fails(() => response.RequireMember("Link", "x")));
        Assert.Contains("expected Link: x, was none", Fails(() => response.RequireHeader("Link", "x")));
        Assert.Contains(
            "expected no Cache-Control, was no-cache", Fails(() => response.RequireHeader("Cache-Control", null)));
        Assert.Contains("expected the body []", Fails(() => response.RequireJson("[]")));
        Assert.Contains("expected two", Fails(() => response.Require(false, "expected two")));

        static string Fails(Func<object> action) => Assert.Throws<AcceptanceException>(action).What;
    }

    [Fact]
    public async Task A_service_that_does_not_answer_fails()
    {
        using var free = new ReservedPort();
        using var api = new ApiConnection(new Uri($"http://127.0.0.1:{free.Number}"));
        var error = await Assert.ThrowsAsync<AcceptanceException>(() => api.GetAsync("/tasks"));
        Assert.StartsWith("GET /tasks: no response: ", error.What);
    }

    [Fact]
    public async Task The_path_is_sent_as_it_is_and_a_key_is_sent_but_never_shown()
    {
        string? target = null, key = null;
        await using var server = await StubServer.StartAsync(http =>
        {
            target = http.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpRequestFeature>()!.RawTarget;
            key = http.Request.Headers["X-API-Key"];
            return new Answer { Status = 500 }.WriteAsync(http);
        });
        using var api = new ApiConnection(server.Url, "canary");
        var error = await Assert.ThrowsAsync<AcceptanceException>(() => api.GetAsync("//x/../%41?q=%2f"));
        Assert.Equal(("//x/../%41?q=%2f", "canary"), (target, key));
        Assert.DoesNotContain("canary", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_read_follows_what_the_connection_has_changed()
    {
        var seen = new List<string>();
        await using var server = await StubServer.StartAsync(http =>
        {
            seen.Add(http.Request.Headers["X-Read-After"].ToString());
            var answer = new Answer();
            answer.Headers["X-Read-After"] = $"p{seen.Count}";
            return answer.WriteAsync(http);
        });
        using var api = new ApiConnection(server.Url);
        await api.PutAsync("/", "{}", 200);
        await api.GetAsync("/");
        Assert.Equal(["", "p1"], seen);
    }

    private static (Action<Answer>, string) Member(string name, string? value, string expected) => (
        answer =>
        {
            var problem = JsonNode.Parse(answer.Body)!.AsObject();
            problem.Remove(name);
            if (value is not null)
            {
                problem[name] = JsonNode.Parse(value);
            }
            answer.Body = problem.ToJsonString();
        },
        $"expected a problem with {name} {expected}, was {value ?? "none"}");

    private static Task<StubServer> StartAsync(Action<Answer> breaks) => StubServer.StartAsync(http =>
    {
        var answer = new Answer();
        if (http.Request.Path == "/tasks/none")
        {
            answer.Status = 404;
            answer.Headers["Content-Type"] = "application/problem+json";
            answer.Body = """
                {"type":"about:blank","title":"Not Found","status":404,"method":"GET","uri":"/tasks/none",
                 "code":404,"message":"Not here","request_id":"id1"}
                """;
        }
        breaks(answer);
        return answer.WriteAsync(http);
    });

    /// <summary>A good response, until a test breaks it.</summary>
    private sealed class Answer
    {
        public int Status { get; set; } = 200;

        public Dictionary<string, string> Headers { get; } = new()
        {
            ["Content-Type"] = "application/json",
            ["Cache-Control"] = "no-cache",
            ["X-Request-ID"] = "id1",
            ["Vary"] = "Accept, Origin",
            ["Access-Control-Allow-Origin"] = Origin,
            ["Access-Control-Allow-Credentials"] = "true",
        };

        public string Body { get; set; } = "{}";

        public async Task WriteAsync(HttpContext http)
        {
            http.Response.StatusCode = Status;
            foreach (var (name, value) in Headers)
            {
                http.Response.Headers[name] = value;
            }
            if (Body.Length > 0)
            {
                await http.Response.WriteAsync(Body);
            }
        }
    }
}
