using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using NJsonSchema;
using TaskService.Http.OpenApi;
using TaskService.Tests.Tidy;

namespace TaskService.Tests.Support;

/// <summary>
/// What the service says of itself in its OpenAPI document, as a reader of that document understands it. Every answer
/// of a test run is compared with it.
/// </summary>
internal sealed class ApiContract
{
    // Of the transfer, not of the answer.
    private static readonly string[] Transfer =
    [
        "Date", "Connection", "Content-Length", "Content-Type", "Transfer-Encoding", "Keep-Alive", "Server-Timing",
    ];

    private const string OtherFile = "edit what holds for all paths in Http/OpenApi/OpenApiDocument.cs";

    private static readonly Lazy<Task<ApiContract>> Shared = new(LoadAsync);

    private static readonly ConcurrentDictionary<string, string> Files = new();

    private readonly ConcurrentDictionary<string, string> patterns = new();

    private readonly ConcurrentDictionary<string, JsonSchema> schemas = new();

    // The library does not bear that two threads use it for the first time at once.
    private readonly Lock compiling = new();

    private ApiContract(JsonNode document) => Document = document;

    public JsonNode Document { get; }

    public static Task<ApiContract> GetAsync() => Shared.Value;

    /// <summary>Fails when the document does not promise this answer.</summary>
    /// <param name="method">Of the request.</param>
    /// <param name="target">Of the request, with its query.</param>
    /// <param name="status">Of the answer.</param>
    /// <param name="headers">Of the answer.</param>
    /// <param name="body">Of the answer; null when it was not looked at.</param>
    public void AssertAnswer(
        string method, string target, int status, IReadOnlyDictionary<string, string> headers, string? body)
    {
        var answer = $"{method} {target}: {status}";
        if (!headers.ContainsKey("X-Request-ID"))
        {
            Assert.True(status is 400 or 405 or 408 or 414 or 431 or 505, $"{answer} comes without an id");
            Assert.True(string.IsNullOrEmpty(body), $"{answer} comes without an id, but with a body");
            return;
        }
        if (method == "OPTIONS" && headers.ContainsKey("Access-Control-Allow-Methods"))
        {
            // It is for the browser alone, which wants to know nothing else (CorsTests).
            Assert.Equal(204, status);
            return;
        }
        var item = ItemOf(target);
        // The rest of what the document says of these: HEAD is as GET without a body.
        var described = method == "HEAD" ? "GET" : method;
        var operation = item?.GetValueOrDefault(described);
        var fix = operation is null ? OtherFile : FileOf(operation);
        var node = item is null && target != "*" ? OtherAnswer("UnknownEndpoint", status == 404)
            : method == "OPTIONS" ? OtherAnswer("Options", status == 204)
            : operation is null ? OtherAnswer("MethodNotAllowed", status == 405)
            : operation["responses"]![$"{status}"];
        Assert.True(node is not null, $"{answer} is not documented; {fix}");
        AssertHeaders(answer, node["headers"]?.AsObject() ?? [], headers, fix);
        if (item is not null && status is 405 or 204 && headers.TryGetValue("Allow", out var allow))
        {
            Assert.Equal(MethodsOf(item.Keys).Order(), allow.Split(", ").Order());
        }
        if (!string.IsNullOrEmpty(body) && !headers.ContainsKey("Content-Encoding"))
        {
            AssertBody(answer, node["content"]?.AsObject() ?? [], headers["Content-Type"], body, fix);
        }
    }

    /// <summary>Validates a value against a schema of the document.</summary>
    /// <returns>What is wrong with it.</returns>
    public IEnumerable<string> Validate(string schema, string json) =>
        Validate(new JsonObject { ["$ref"] = $"#/components/schemas/{schema}" }, json);

    private IEnumerable<string> Validate(JsonNode schema, string json) =>
        schemas.GetOrAdd(schema.ToJsonString(), Compile).Validate(json).Select(error => error.ToString());

    /// <summary>All methods of a path that has these operations.</summary>
    public static IEnumerable<string> MethodsOf(IEnumerable<string> operations)
    {
        var methods = operations.Select(method => method.ToUpperInvariant()).ToList();
        return [.. methods, "OPTIONS", .. methods.Contains("GET") ? ["HEAD"] : Array.Empty<string>()];
    }

    /// <summary>Where the words of an operation stand: beside the endpoint, which has its id as its name.</summary>
    /// <returns>What to do, for a message.</returns>
    public static string FileOf(JsonNode operation) => Files.GetOrAdd((string)operation["operationId"]!, id =>
    {
        var name = $"WithName(\"{id}\")";
        var file = SourceTree.Files.FirstOrDefault(one => one.Path.EndsWith(".cs", StringComparison.Ordinal)
            && one.Text.Contains(name, StringComparison.Ordinal));
        return file is null
            ? $"describe the endpoint where it is mapped, after .{name}"
            : $"edit its description in {file.Path}, after .{name}";
    });

    private static async Task<ApiContract> LoadAsync()
    {
        await using var service = await RunningService.StartAsync();
        using var client = new HttpClient { BaseAddress = service.Client.BaseAddress };
        var document = JsonNode.Parse(await client.GetStringAsync(new Uri("/openapi.json", UriKind.Relative)))!;
        return new ApiContract(document);
    }

    private static string NameIn(JsonNode? reference) => ((string)reference!["$ref"]!).Split('/')[^1];

    private JsonNode? OtherAnswer(string response, bool applies) =>
        applies ? Document[OpenApiDocument.OtherResponses]![response] : null;

    private Dictionary<string, JsonNode?>? ItemOf(string target)
    {
        var path = target.Split('?')[0];
        // The root has no slash more.
        path = path.Length > 2 && path[^1] == '/' ? path[..^1] : path;
        // Literal paths come before those with parameters, as in routing.
        var item = Document["paths"]!.AsObject()
            .OrderBy(one => one.Key.Contains('{', StringComparison.Ordinal))
            .FirstOrDefault(one => Regex.IsMatch(path, PatternOf(one.Key, one.Value!.AsObject()))).Value;
        return item?.AsObject().ToDictionary(pair => pair.Key.ToUpperInvariant(), pair => pair.Value);
    }

    private string PatternOf(string template, JsonObject item) => patterns.GetOrAdd(template, _ =>
    {
        var result = $"^{Regex.Escape(template).Replace("\\{", "{", StringComparison.Ordinal)}\\z";
        var parameters = item.First().Value!["parameters"]!.AsArray()
            .Select(one => one!["$ref"] is null ? one : Document["components"]!["parameters"]![NameIn(one)]!);
        foreach (var parameter in parameters.Where(one => (string?)one!["in"] == "path"))
        {
            var schema = parameter!["schema"]!;
            var value = (string?)schema["pattern"] is { } own ? own.TrimStart('^').TrimEnd('$')
                : schema["type"]?.ToJsonString() == "\"integer\"" ? "-?[0-9]+" : "[^/]+";
            result = result.Replace($"{{{parameter["name"]}}}", $"({value})", StringComparison.Ordinal);
        }
        return result;
    });

    private void AssertHeaders(
        string answer, JsonObject documented, IReadOnlyDictionary<string, string> headers, string fix)
    {
        var unknown = headers.Where(header => !IsOfBrowser(header.Key, header.Value)).Select(header => header.Key)
            .Except(Transfer, StringComparer.OrdinalIgnoreCase)
            .Except(documented.Select(pair => pair.Key), StringComparer.OrdinalIgnoreCase);
        Assert.True(
            !unknown.Any(),
            $"{answer} has headers that are not documented: {string.Join(", ", unknown)}; {fix}");
        foreach (var (name, reference) in documented)
        {
            var header = reference!["$ref"] is null
                ? reference : Document["components"]!["headers"]![NameIn(reference)]!;
            Assert.True(!(bool)header["required"]! || headers.ContainsKey(name), $"{answer} has no {name}; {fix}");
        }
    }

    /// <summary>Whether a header is of CORS, which depends on who asks.</summary>
    private static bool IsOfBrowser(string name, string value) =>
        name.StartsWith("Access-Control-", StringComparison.OrdinalIgnoreCase) || (name == "Vary" && value == "Origin");

    private void AssertBody(string answer, JsonObject documented, string contentType, string body, string fix)
    {
        var media = documented[contentType.Split(';')[0]];
        Assert.True(media is not null, $"{answer} has a body of {contentType}, which is not documented; {fix}");
        var errors = Validate(media["schema"]!, body);
        Assert.True(!errors.Any(), $"{answer}: {string.Join(" ", errors)} in {body}; {fix}");
    }

    /// <summary>With everything that it refers to, in the words of the library's older draft.</summary>
    private JsonSchema Compile(string schema)
    {
        var all = Document["components"]!["schemas"]!.DeepClone().AsObject();
        // Whatever the document leaves open, we send nothing that is not in it.
        all["Problem"]!["additionalProperties"] = false;
        // The library counts UTF-16 units; the lengths of what is sent were checked when it was taken.
        foreach (var (_, property) in all["Task"]!["properties"]!.AsObject())
        {
            property!.AsObject().Remove("maxLength");
        }
        // And it compares numbers in 15 digits, in which the last times below the maximum are the maximum.
        var due = all["Task"]!["properties"]!["due_date"]!.AsObject();
        due["maximum"] = due["exclusiveMaximum"]!.DeepClone();
        due.Remove("exclusiveMaximum");
        var root = JsonNode.Parse(schema)!.AsObject();
        if (root["$ref"] is not null)
        {
            root = all[NameIn(root)]!.DeepClone().AsObject();
        }
        root["definitions"] = all;
        var text = root.ToJsonString(new JsonSerializerOptions())
            .Replace("#/components/schemas/", "#/definitions/", StringComparison.Ordinal);
        lock (compiling)
        {
            return JsonSchema.FromJsonAsync(text).GetAwaiter().GetResult();
        }
    }
}

/// <summary>Compares every answer that a client gets with the contract.</summary>
internal sealed class ContractHandler() : DelegatingHandler(new SocketsHttpHandler())
{
    // What is longer may be meant to be read piece by piece.
    private const int CheckedBytesMax = 65_536;

    protected override async Task<HttpResponseMessage> SendAsync(
        HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var target = request.RequestUri!.PathAndQuery;
        var response = await base.SendAsync(request, cancellationToken);
        var headers = response.Headers.Concat(response.Content.Headers).ToDictionary(
            header => header.Key, header => string.Join(", ", header.Value), StringComparer.OrdinalIgnoreCase);
        string? body = null;
        if (response.Content.Headers.ContentLength is { } length and <= CheckedBytesMax && length > 0
            && request.Method != HttpMethod.Head)
        {
            await response.Content.LoadIntoBufferAsync(cancellationToken);
            body = await response.Content.ReadAsStringAsync(cancellationToken);
        }
        var contract = await ApiContract.GetAsync();
        contract.AssertAnswer(request.Method.Method, target, (int)response.StatusCode, headers, body);
        return response;
    }
}
