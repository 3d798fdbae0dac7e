using System.Text.Json.Nodes;

namespace TaskService.Http.OpenApi;

/// <summary>The responses of one operation; what several sources say of one status is joined.</summary>
/// <param name="components">Has headers and schemas.</param>
/// <param name="method">Of the requests; <c>*</c> for any.</param>
/// <param name="uri">Of the requests in examples.</param>
internal sealed class OpenApiResponses(OpenApiComponents components, string method, string uri)
{
    // What is not among the statuses of the operation.
    private const string Refused = "4XX";

    private readonly SortedDictionary<int, Response> all = [];

    /// <summary>A response of the endpoint, maybe without a body.</summary>
    /// <param name="status">The HTTP status.</param>
    /// <param name="description">When it is sent.</param>
    /// <param name="headers">Their names.</param>
    /// <param name="content">Media types, each with its schema and example.</param>
    public void Add(
        int status,
        string description,
        IEnumerable<string> headers,
        params IEnumerable<(string MediaType, JsonObject Content)> content)
    {
        var response = Of(status);
        if (description.Length > 0)
        {
            response.Descriptions.Add(description);
        }
        response.Headers.AddRange(headers);
        response.Contents.AddRange(content);
    }

    /// <summary>Responses of <see cref="ResultWriter"/> to requests that are refused or fail.</summary>
    public void Add(IEnumerable<Problem> problems)
    {
        foreach (var problem in problems)
        {
            var response = Of(problem.Status);
            if (!response.Problems.Any(one => (one.Message, one.Detail) == (problem.Message, problem.Detail)))
            {
                response.Problems.Add(problem);
                response.Headers.AddRange(Shared(method, problem.Status));
            }
        }
    }

    /// <summary>The headers that <see cref="ResultWriter"/> sets on every response.</summary>
    public static IEnumerable<string> Shared(string method, int status)
    {
        yield return RequestIds.Header;
        yield return "Cache-Control";
        if (method is "GET" or "HEAD" or "*")
        {
            yield return "Vary";
        }
        if (status == StatusCodes.Status503ServiceUnavailable)
        {
            yield return "Retry-After";
        }
    }

    /// <summary>The responses by their status, and whatever else the server may refuse.</summary>
    public JsonObject ToJson()
    {
        var result = new JsonObject();
        foreach (var (status, response) in all)
        {
            result[$"{status}"] = ToJson(response);
        }
        result[Refused] = OpenApiComponents.Reference("responses", "Refused");
        return result;
    }

    private Response Of(int status) => all.TryGetValue(status, out var known) ? known : all[status] = new Response();

    private JsonObject ToJson(Response response)
    {
        var texts = response.Descriptions.Concat(response.Problems.Select(problem => problem.Message)).Distinct();
        var headers = response.Headers.Distinct(StringComparer.OrdinalIgnoreCase);
        var result = new JsonObject
        {
            ["description"] = string.Join(", or ", texts),
            ["headers"] = new JsonObject(
                headers.Select(name => KeyValuePair.Create(name, (JsonNode?)HeaderOf(name)))),
        };
        if (response.Problems.Count > 0)
        {
            response.Contents.Add((Problem.ContentType, Content(response.Problems)));
        }
        var content = new JsonObject();
        foreach (var media in response.Contents.GroupBy(one => one.MediaType))
        {
            content[media.Key] = Join([.. media.Select(one => one.Content)]);
        }
        if (content.Count > 0)
        {
            result["content"] = content;
        }
        return result;
    }

    // Linters do not see what an extension of the document refers to.
    private JsonObject HeaderOf(string name) =>
        method == "*" ? components.Header(name) : components.HeaderReference(name);

    private static JsonObject Join(IReadOnlyList<JsonObject> contents)
    {
        if (contents is [var only])
        {
            return only;
        }
        var result = contents[^1];
        var schemas = contents.Select(content => content["schema"]!.DeepClone()).ToList();
        result["schema"] = new JsonObject { ["anyOf"] = new JsonArray([.. schemas]) };
        return result;
    }

    private JsonObject Content(List<Problem> problems)
    {
        var examples = new JsonObject();
        foreach (var (at, problem) in problems.Index())
        {
            var body = problem.ToJson(method, uri, OpenApiComponents.SomeRequestId, trace: null);
            examples[$"example{at + 1}"] = new JsonObject
            {
                ["summary"] = problem.Detail ?? problem.Message,
                ["value"] = JsonNode.Parse(body.Span),
            };
        }
        return new JsonObject
        {
            ["schema"] = OpenApiComponents.Reference("schemas", "Problem"),
            ["examples"] = examples,
        };
    }

    private sealed class Response
    {
        public List<string> Descriptions { get; } = [];

        public List<string> Headers { get; } = [];

        public List<Problem> Problems { get; } = [];

        public List<(string MediaType, JsonObject Content)> Contents { get; } = [];
    }
}
