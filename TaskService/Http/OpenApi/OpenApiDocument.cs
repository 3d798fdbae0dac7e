using System.Reflection;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace TaskService.Http.OpenApi;

/// <summary>
/// The description of the API in OpenAPI 3.1, made of the routes, the words of <see cref="OpenApiOperations"/>, the
/// schema file, and problems as they are really sent.
/// </summary>
internal sealed class OpenApiDocument(EndpointDataSource endpoints, string serviceName)
{
    public static readonly JsonSerializerOptions Text =
        new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>An extension of the document: answers to requests that reach none of its operations.</summary>
    public const string OtherResponses = "x-responses";

    private const string SomeRequestId = "f91bdad7db4e7ea7a66667bc755b63db";

    // What is not among the statuses of the operation.
    private const string Refused = "4XX";

    private static readonly ILookup<(string, string), OpenApiOperation> Known =
        OpenApiOperations.All.ToLookup(operation => (operation.Method, operation.Template));

    public JsonObject ToJson() => new()
    {
        ["openapi"] = "3.1.0",
        ["info"] = new JsonObject
        {
            ["title"] = serviceName,
            ["version"] = Assembly.GetExecutingAssembly().GetName().Version!.ToString(3),
            ["description"] = "A path that is not listed is 404 (`UnknownEndpoint`), and a method that a path does not "
                + "have 405 (`MethodNotAllowed`); `OPTIONS *` asks for all methods (`Server`). What is no HTTP request "
                + "is refused without a body (`Refused`). "
                + "A path may have one slash more at its end. Bodies may be sent with `Content-Encoding: gzip`.",
            ["contact"] = new JsonObject { ["name"] = "The TaskService authors" },
            ["license"] = new JsonObject { ["name"] = "MIT License", ["identifier"] = "MIT" },
        },
        ["servers"] = new JsonArray { new JsonObject { ["url"] = "/" } },
        // There is no authentication.
        ["security"] = new JsonArray(),
        ["tags"] = new JsonArray([.. OpenApiOperations.Tags
            .Select(tag => new JsonObject { ["name"] = tag.Name, ["description"] = tag.Description })]),
        ["paths"] = Object(endpoints.Endpoints.OfType<RouteEndpoint>()
            .Where(one => one.Metadata.GetMetadata<IExcludeFromDescriptionMetadata>() is null)
            .GroupBy(EndpointMethods.RouteOf, one => one, (template, own) => new Route(template, [.. own]))
            .Select(route => (route.Template, (JsonNode)PathOf(route)))),
        ["components"] = new JsonObject
        {
            ["schemas"] = OpenApiComponents.Schemas(),
            ["parameters"] = OpenApiComponents.Parameters(),
            ["headers"] = OpenApiComponents.Headers(),
            ["responses"] = new JsonObject
            {
                ["Refused"] = new JsonObject
                {
                    ["description"] = "400, 405, 408, 414, 431 or 505, and then the connection is closed",
                },
            },
        },
        [OtherResponses] = new JsonObject
        {
            ["UnknownEndpoint"] = ProblemAnswer("*", "/nope", [Problem.UnknownEndpoint], Shared("*", 404)),
            ["MethodNotAllowed"] = ProblemAnswer(
                "*", "/tasks", [Problem.MethodNotAllowed], ["Allow", .. Shared("*", 405)]),
            ["Server"] = new JsonObject
            {
                ["description"] = "`Allow` has the methods of all paths",
                ["headers"] = HeadersFor(["Allow", .. Shared(HttpMethods.Options, 204)]),
            },
        },
    };

    private static JsonObject Object(IEnumerable<(string Name, JsonNode Value)> members) =>
        new(members.Select(member => KeyValuePair.Create(member.Name, (JsonNode?)member.Value)));

    private static JsonObject Reference(string kind, string name) =>
        new() { ["$ref"] = $"#/components/{kind}/{name}" };

    private static JsonObject PathOf(Route route) => Object(route.Methods.Select(method =>
#pragma warning disable CA1308 // OpenAPI writes methods in lower case.
        (method.ToLowerInvariant(), (JsonNode)OperationOf(method, route))));
#pragma warning restore CA1308

    private static JsonObject OperationOf(string method, Route route)
    {
        if (method == HttpMethods.Options)
        {
            var first = OpenApiOperations.All.FirstOrDefault(operation => operation.Template == route.Template);
            var id = first is null ? "" : $"{first.Id}Options";
            var allowed = new OpenApiOperation(method, route.Template, id, "Ask for the methods")
            {
                Tag = first?.Tag ?? route.Template,
                Description = "Which methods this path has.",
                Parameters = route.Template.EndsWith("{id}", StringComparison.Ordinal) ? ["id"] : [],
                Answers = [new OpenApiAnswer(204, "`Allow` has them", ["Allow"])],
                Problems = route.IsLimited ? [Problem.Unexpected, Problem.Overloaded] : [],
            };
            return Write(allowed);
        }
        // HEAD is as GET, and nothing is known of what nobody has described.
        var source = method == HttpMethods.Head ? HttpMethods.Get : method;
        var known = Known[(source, route.Template)].FirstOrDefault()
            ?? new OpenApiOperation(source, route.Template, "", "");
        return Write(method == source ? known : known with
        {
            Method = method,
            Id = known.Id.Length > 0 ? $"{known.Id}Head" : "",
            Description = "The headers of GET, without its body.",
        });
    }

    private static JsonObject Write(OpenApiOperation operation)
    {
        var result = new JsonObject
        {
            ["tags"] = new JsonArray(operation.Tag),
            ["summary"] = operation.Method == HttpMethods.Head
                ? operation.Summary + " (head only)" : operation.Summary,
        };
        if (operation.Id.Length > 0)
        {
            result["operationId"] = operation.Id;
        }
        if (operation.Description is not null)
        {
            result["description"] = operation.Description;
        }
        result["parameters"] = new JsonArray(
            [.. operation.Parameters.Append("X-Request-ID").Select(name => Reference("parameters", name))]);
        if (operation.Bodies.Count > 0)
        {
            result["requestBody"] = new JsonObject
            {
                ["required"] = true,
                ["content"] = Object(operation.Bodies.Select(body =>
                    (body.MediaType, (JsonNode)OpenApiComponents.Content(body.Schema)))),
            };
        }
        var answers = operation.Answers.Select(answer => (answer.Status, Node: (JsonNode)Write(operation, answer)))
            .Concat(operation.Problems.GroupBy(problem => problem.Status).Select(group => (group.Key, (JsonNode)
                ProblemAnswer(operation.Method, operation.Template, group, HeadersOf(operation, group.Key)))));
        result["responses"] = Object(answers.OrderBy(answer => answer.Item1)
            .Select(answer => ($"{answer.Item1}", answer.Item2))
            .Append((Refused, Reference("responses", "Refused"))));
        return result;
    }

    private static JsonObject Write(OpenApiOperation operation, OpenApiAnswer answer)
    {
        string[] headers = operation.IsShared
            ? [.. answer.Headers, .. Shared(operation.Method, answer.Status)]
            : [.. answer.Headers, RequestIds.Header];
        var result = new JsonObject { ["description"] = answer.Description, ["headers"] = HeadersFor(headers) };
        if (answer.Schema is not null && operation.Method != HttpMethods.Head)
        {
            result["content"] = new JsonObject
            {
                ["application/json"] = OpenApiComponents.Content(answer.Schema),
            };
        }
        return result;
    }

    private static IEnumerable<string> HeadersOf(OpenApiOperation operation, int status) =>
        operation.Method == HttpMethods.Patch && status == StatusCodes.Status415UnsupportedMediaType
            ? ["Accept-Patch", .. Shared(operation.Method, status)]
            : Shared(operation.Method, status);

    /// <summary>The headers that <see cref="ResultWriter"/> sets on every response.</summary>
    private static IEnumerable<string> Shared(string method, int status)
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

    private static JsonObject HeadersFor(IEnumerable<string> names) =>
        Object(names.Select(name => (name, (JsonNode)Reference("headers", name))));

    private static JsonObject ProblemAnswer(
        string method, string path, IEnumerable<Problem> problems, IEnumerable<string> headers)
    {
        var uri = path.Replace("{id}", OpenApiComponents.SomeId, StringComparison.Ordinal);
        var all = problems.DistinctBy(problem => (problem.Message, problem.Detail)).ToList();
        var result = new JsonObject
        {
            ["description"] = string.Join(", or ", all.Select(problem => problem.Message).Distinct()),
            ["headers"] = HeadersFor(headers),
        };
        if (method == HttpMethods.Head)
        {
            return result;
        }
        result["content"] = new JsonObject
        {
            [Problem.ContentType] = new JsonObject
            {
                ["schema"] = Reference("schemas", "Problem"),
                ["examples"] = Object(all.Select((problem, at) => ($"example{at + 1}", (JsonNode)new JsonObject
                {
                    ["summary"] = problem.Detail ?? problem.Message,
                    ["value"] = JsonNode.Parse(problem.ToJson(method, uri, SomeRequestId, trace: null).Span),
                }))),
            },
        };
        return result;
    }

    private sealed record Route(string Template, IReadOnlyList<Endpoint> Endpoints)
    {
        public IEnumerable<string> Methods => EndpointMethods.Of(Endpoints);

        public bool IsLimited => Endpoints.All(one => one.Metadata.GetMetadata<Unlimited>() is null);
    }
}
