using System.Text.Json.Nodes;
using TaskService.Domain;

namespace TaskService.Http.OpenApi;

/// <summary>What operations share: schemas with examples, parameters, headers.</summary>
internal static class OpenApiComponents
{
    public const string SomeId = "01a1fcda9ce570ab8a52288b45ce5eed";

    private const string SchemaFile = "todoList-v1.0.json";
    private const string SomeTag = "\"afdebd5cdb12c2e6158fefbdb58bd0ce\"";
    private const string SomePosition = "0/1524E40";
    private const string SomeTask = """{"priority":"high","title":"Write it down","completed":false}""";

    private static readonly Dictionary<string, string> Examples = new()
    {
        ["Task"] = SomeTask,
        ["Tasks"] = $$"""{"{{SomeId}}":{{SomeTask}}}""",
        ["TaskPatch"] = """{"completed":true,"priority":null}""",
        ["Health"] = """{"status":"healthy"}""",
        ["Document"] = """{"openapi":"3.1.0"}""",
    };

    /// <summary>A media type with a schema and its example.</summary>
    public static JsonObject Content(string schema) => new()
    {
        ["schema"] = new JsonObject { ["$ref"] = $"#/components/schemas/{schema}" },
        ["example"] = JsonNode.Parse(Examples[schema]),
    };

    public static JsonObject Schemas()
    {
        var task = TaskSchema();
        return new JsonObject
        {
            ["Task"] = task,
            ["TaskPatch"] = PatchOf(task),
            ["Tasks"] = new JsonObject
            {
                ["type"] = "object",
                ["propertyNames"] = Id(),
                ["additionalProperties"] = new JsonObject { ["$ref"] = "#/components/schemas/Task" },
            },
            ["Problem"] = JsonNode.Parse("""
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
                """),
            ["Health"] = JsonNode.Parse("""
                {
                  "type": "object",
                  "properties": { "status": { "type": "string", "enum": ["healthy", "unhealthy"] } },
                  "required": ["status"],
                  "additionalProperties": false
                }
                """),
            ["Document"] = new JsonObject { ["type"] = "object" },
        };
    }

    public static JsonObject Parameters() => new()
    {
        ["id"] = new JsonObject
        {
            ["name"] = "id",
            ["in"] = "path",
            ["required"] = true,
            ["schema"] = Id(),
            ["example"] = SomeId,
        },
        ["limit"] = Parameter(
            "query", "limit", $"At most so many tasks; more than {TaskQuery.LimitItemsMax} are never sent.",
            new JsonObject { ["type"] = "integer", ["minimum"] = 1 }, 100),
        ["after"] = Parameter("query", "after", "Only tasks with ids after this one.", Id(), SomeId),
        ["completed"] = Parameter(
            "query", "completed", "Only tasks that are, or are not.", new JsonObject { ["type"] = "boolean" }, false),
        ["priority"] = Parameter(
            "query", "priority", "Only tasks of this priority.",
            TaskSchema()["properties"]!["priority"]!.DeepClone().AsObject(), "high"),
        ["due_before"] = Parameter(
            "query", "due_before", "Only tasks that are due before this time, in Unix seconds.",
            new JsonObject { ["type"] = "number" }, 1_893_456_000),
        ["If-Match"] = Parameter("header", "If-Match", "Only if the task has one of these versions.", Text(), SomeTag),
        ["If-None-Match"] = Parameter(
            "header", "If-None-Match", "Only if the version is none of these.", Text(), SomeTag),
        ["Idempotency-Key"] = Parameter(
            "header", "Idempotency-Key", "Makes a retry safe: the same key and body get the first answer again.",
            new JsonObject { ["type"] = "string", ["minLength"] = 1, ["maxLength"] = TodoListService.KeyCharactersMax },
            "8e03978e-40d5-43e8-bc93-6894a57f9324"),
        [ReadAfter.Header] = Parameter(
            "header", ReadAfter.Header, "What the answer of a change had: what is read is not older than that.", Text(),
            SomePosition),
        [RequestIds.Header] = Parameter(
            "header", RequestIds.Header, "An id for the request that the client has chosen.",
            new JsonObject { ["type"] = "string", ["maxLength"] = 128 }, "f91bdad7db4e7ea7a66667bc755b63db"),
    };

    public static JsonObject Headers() => new()
    {
        [RequestIds.Header] = Header("The id of the request, as in the log.", "f91bdad7db4e7ea7a66667bc755b63db"),
        ["Cache-Control"] = Header(
            "Caches have to ask each time (no-cache), and keep nothing of health (no-store).", "no-cache"),
        ["Vary"] = Header("What the answer depends on; of GET and HEAD.", "Accept-Encoding", isRequired: false),
        ["ETag"] = Header("The version, and the coding if there is one.", SomeTag, isRequired: false),
        ["Link"] = Header(
            "Where the next page is (RFC 8288); not there on the last one.",
            $"</tasks?limit=100&after={SomeId}>; rel=\"next\"", isRequired: false),
        ["Content-Encoding"] = Header("gzip or br, if the client takes it.", "gzip", isRequired: false),
        [ReadAfter.Header] = Header(
            "What a read sends back to see this change, where reads go to replicas.", SomePosition, isRequired: false),
        ["Location"] = Header("The path of the task.", $"/tasks/{SomeId}"),
        ["Allow"] = Header("The methods that the resource has.", "GET, HEAD, POST, OPTIONS"),
        ["Accept-Patch"] = Header("What a patch may be.", RequestBody.MergePatch),
        ["Retry-After"] = Header("In how many seconds to try again.", "1"),
    };

    private static JsonObject Parameter(
        string place, string name, string description, JsonObject schema, JsonNode example) => new()
        {
            ["name"] = name,
            ["in"] = place,
            ["description"] = description,
            ["schema"] = schema,
            ["example"] = example,
        };

    private static JsonObject Header(string description, string example, bool isRequired = true) => new()
    {
        ["description"] = description,
        ["required"] = isRequired,
        ["schema"] = Text(),
        ["example"] = example,
    };

    private static JsonObject Text() => new() { ["type"] = "string" };

    private static JsonObject Id() => new() { ["type"] = "string", ["pattern"] = "^[A-Za-z0-9-]{1,64}$" };

    /// <summary>The contract itself, out of its file.</summary>
    private static JsonObject TaskSchema()
    {
        using var file = typeof(OpenApiComponents).Assembly.GetManifestResourceStream(SchemaFile)!;
        return JsonNode.Parse(file)!["definitions"]!["taskEntry"]!.DeepClone().AsObject();
    }

    /// <summary>As a task, but nothing is required and all but a title may be removed.</summary>
    private static JsonObject PatchOf(JsonObject task)
    {
        var patch = task.DeepClone().AsObject();
        patch.Remove("required");
        foreach (var (name, property) in patch["properties"]!.AsObject())
        {
            if (name == "title")
            {
                continue;
            }
            property!["type"] = new JsonArray((string)property["type"]!, "null");
            (property["enum"] as JsonArray)?.Add(null);
        }
        return patch;
    }
}
