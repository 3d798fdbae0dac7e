using System.Text.Json.Nodes;
using TaskService.Domain;

namespace TaskService.Http.OpenApi;

/// <summary>
/// What operations share and name: the parts of HTTP, those of <see cref="DescribedComponents"/>, and schemas of
/// types. Only parts that the document names are written.
/// </summary>
internal sealed class OpenApiComponents
{
    public const string SomeRequestId = "f91bdad7db4e7ea7a66667bc755b63db";

    private const string SomeTag = "\"afdebd5cdb12c2e6158fefbdb58bd0ce\"";
    private const string SomePosition = "0/1524E40";

    private readonly Dictionary<string, JsonObject> kinds = new()
    {
        ["schemas"] = new JsonObject { ["Problem"] = ProblemSchema() },
        ["parameters"] = Parameters(),
        ["headers"] = Headers(),
        ["responses"] = new JsonObject
        {
            ["Refused"] = new JsonObject
            {
                ["description"] = "400, 405, 408, 414, 431 or 505, and then the connection is closed",
            },
        },
    };

    private readonly Dictionary<string, string> examples = new(StringComparer.Ordinal);

    /// <exception cref="InvalidOperationException">Two parts of one kind and name differ.</exception>
    public OpenApiComponents(IEnumerable<DescribedComponents> described)
    {
        foreach (var one in described)
        {
            Add("schemas", one.Schemas);
            Add("parameters", one.Parameters);
            Add("headers", one.Headers);
            foreach (var (name, example) in one.Examples)
            {
                Require(examples.TryAdd(name, example) || examples[name] == example, "the example of", name);
            }
            foreach (var (name, description) in one.Tags)
            {
                Require(Tags.TryAdd(name, description) || Tags[name] == description, "the tag", name);
            }
        }
    }

    public JsonObject Schemas => kinds["schemas"];

    /// <summary>Descriptions of tags.</summary>
    public Dictionary<string, string> Tags { get; } = new(StringComparer.Ordinal);

    public static JsonObject Reference(string kind, string name) =>
        new() { ["$ref"] = $"#/components/{kind}/{name}" };

    /// <summary>A media type with a schema and its example.</summary>
    /// <param name="schema">Its name.</param>
    /// <param name="isRequest">Whether the example is without the members that only the service sets.</param>
    public JsonObject Content(string schema, bool isRequest)
    {
        var content = new JsonObject { ["schema"] = Reference("schemas", schema) };
        if (examples.TryGetValue(schema, out var text))
        {
            var example = JsonNode.Parse(text);
            foreach (var (name, property) in Schemas[schema]?["properties"] as JsonObject ?? [])
            {
                if (isRequest && (bool?)property!["readOnly"] == true)
                {
                    (example as JsonObject)?.Remove(name);
                }
            }
            content["example"] = example;
        }
        return content;
    }

    public JsonObject Parameter(string name) =>
        kinds["parameters"][name]?.AsObject() ?? throw new InvalidOperationException(
            $"openapi: no group of endpoints describes a parameter {name}; add it to its DescribedComponents");

    public JsonObject Header(string name) => kinds["headers"][name]!.DeepClone().AsObject();

    public JsonObject HeaderReference(string name)
    {
        // An endpoint may say no more of a header than its name.
        kinds["headers"][name] ??= new JsonObject { ["schema"] = Text() };
        return Reference("headers", name);
    }

    /// <summary>The parts that <paramref name="document"/> names, and those that these name.</summary>
    public JsonObject Used(JsonObject document)
    {
        var used = new HashSet<(string Kind, string Name)>();
        Collect(document, used);
        var result = new JsonObject();
        foreach (var (kind, parts) in kinds)
        {
            var own = parts.Where(part => used.Contains((kind, part.Key)))
                .Select(part => KeyValuePair.Create(part.Key, part.Value?.DeepClone()));
            result[kind] = new JsonObject(own);
        }
        return result;
    }

    private void Collect(JsonNode? node, HashSet<(string Kind, string Name)> used)
    {
        if (node is JsonArray list)
        {
            foreach (var item in list)
            {
                Collect(item, used);
            }
        }
        foreach (var (name, value) in node as JsonObject ?? [])
        {
            if (name == "$ref" && value is JsonValue reference && reference.TryGetValue(out string? to)
                && to.Split('/') is ["#", "components", var kind, var part])
            {
                if (used.Add((kind, part)))
                {
                    Collect(kinds[kind][part], used);
                }
            }
            else
            {
                Collect(value, used);
            }
        }
    }

    private void Add(string kind, JsonObject parts)
    {
        foreach (var (name, part) in parts)
        {
            var isNew = kinds[kind].TryAdd(name, part!.DeepClone());
            Require(isNew || JsonNode.DeepEquals(kinds[kind][name], part), $"the {kind[..^1]}", name);
        }
    }

    private static void Require(bool isOne, string kind, string name)
    {
        if (!isOne)
        {
            throw new InvalidOperationException(
                $"openapi: two groups of endpoints describe {kind} {name} differently, which is one in the whole"
                + " document; rename it in the DescribedComponents of one of them");
        }
    }

    private static JsonObject Parameters() => new()
    {
        ["id"] = DescribedComponents.Parameter(
            "path", "id", "The id of the resource.", ResourceDescription.IdSchema(), ResourceDescription.SomeId),
        ["limit"] = DescribedComponents.Parameter(
            "query", "limit", $"At most so many; more than {ListQuery.LimitItemsMax} are never sent.",
            new JsonObject { ["type"] = "integer", ["minimum"] = 1 }, 100),
        ["after"] = DescribedComponents.Parameter(
            "query", "after", "Only those with ids after this one.",
            ResourceDescription.IdSchema(), ResourceDescription.SomeId),
        [IdempotencyHeader.Name] = DescribedComponents.Parameter(
            "header", IdempotencyHeader.Name,
            "Makes a retry safe: the same key and body get the first response again.",
            new JsonObject { ["type"] = "string", ["minLength"] = 1, ["maxLength"] = IdempotencyKey.CharactersMax },
            "8e03978e-40d5-43e8-bc93-6894a57f9324"),
        ["If-Match"] = DescribedComponents.Parameter(
            "header", "If-Match", "Only if the resource has one of these versions.", Text(), SomeTag),
        ["If-None-Match"] = DescribedComponents.Parameter(
            "header", "If-None-Match", "Only if the version is none of these.", Text(), SomeTag),
        [ReadAfter.Header] = DescribedComponents.Parameter(
            "header", ReadAfter.Header,
            "The value that the response to a change had: what is read is not older than that.", Text(), SomePosition),
        [RequestIds.Header] = DescribedComponents.Parameter(
            "header", RequestIds.Header, "An id for the request that the client has chosen.",
            new JsonObject { ["type"] = "string", ["maxLength"] = 128 }, SomeRequestId),
    };

    private static JsonObject Headers() => new()
    {
        ["Link"] = DescribedComponents.Header(
            "Where the next page is (RFC 8288); not there on the last one.",
            $"</tasks?limit=100&after={ResourceDescription.SomeId}>; rel=\"next\"", isRequired: false),
        ["Location"] = DescribedComponents.Header(
            "The path of the new resource.", $"/tasks/{ResourceDescription.SomeId}"),
        [RequestIds.Header] = DescribedComponents.Header("The id of the request, as in the log.", SomeRequestId),
        ["Cache-Control"] = DescribedComponents.Header(
            "Caches have to ask each time (no-cache), and keep nothing of health (no-store).", "no-cache"),
        ["Vary"] = DescribedComponents.Header(
            "What the response depends on; of GET and HEAD.", "Accept-Encoding", isRequired: false),
        ["ETag"] = DescribedComponents.Header(
            "The version, and the coding if there is one.", SomeTag, isRequired: false),
        ["Content-Encoding"] = DescribedComponents.Header(
            "gzip or br, if the client takes it.", "gzip", isRequired: false),
        [ReadAfter.Header] = DescribedComponents.Header(
            "The value that a read sends back to see this change, where reads go to replicas.", SomePosition,
            isRequired: false),
        ["Allow"] = DescribedComponents.Header("The methods that the resource has.", "GET, HEAD, POST, OPTIONS"),
        ["Accept-Patch"] = DescribedComponents.Header("Media types of a patch.", RequestBody.MergePatch),
        ["Retry-After"] = DescribedComponents.Header("In how many seconds to try again.", "1"),
        ["WWW-Authenticate"] = DescribedComponents.Header(
            "The schemes of authentication (RFC 9110).", "Bearer", isRequired: false),
    };

    private static JsonObject Text() => new() { ["type"] = "string" };

    private static JsonNode ProblemSchema() => JsonNode.Parse("""
        {
          "description": "Problem details (RFC 9457)",
          "type": "object",
          "properties": {
            "type": { "type": "string", "format": "uri-reference" },
            "title": { "type": "string", "description": "The reason phrase of the status" },
            "status": { "type": "integer" },
            "detail": { "type": "string", "description": "What exactly, and what is allowed" },
            "method": { "type": "string" },
            "uri": { "type": "string", "description": "The path of the request" },
            "code": { "type": "integer", "description": "As status" },
            "message": { "type": "string", "description": "One of a few texts to rely on" },
            "request_id": { "type": "string", "description": "What to look for in the log" },
            "errors": {
              "type": "array",
              "maxItems": 100,
              "items": {
                "type": "object",
                "properties": {
                  "pointer": { "type": "string", "description": "RFC 6901" },
                  "message": { "type": "string" }
                },
                "required": ["pointer", "message"],
                "additionalProperties": false
              }
            },
            "trace": { "type": "string", "description": "Only when the service runs with --debug" }
          },
          "required": ["type", "title", "status", "method", "uri", "code", "message", "request_id"]
        }
        """)!;
}
