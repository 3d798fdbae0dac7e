using System.Text.Json.Nodes;
using Microsoft.AspNetCore.WebUtilities;
using TaskService.Domain;
using TaskService.Http;

namespace TaskService.Tasks;

/// <summary>What the descriptions of <see cref="TaskRoutes"/> name: schemas, parameters, headers, problems.</summary>
internal static class TaskComponents
{
    private const string SomeId = "01a1fcda9ce570ab8a52288b45ce5eed";
    private const int BodyBytesMax = 1_048_576;
    private const string SchemaFile = "todoList-v1.0.json";
    private const string SomeTask = """{"priority":"high","title":"Write it down","completed":false}""";

    public static Problem NotFound { get; } = Problem.NotFound(TaskEndpoints.TypeName, SomeId);

    public static Problem Unavailable { get; } = Problem.From(ErrorKind.StorageUnavailable);

    /// <summary>Of every change of one task.</summary>
    public static Problem[] ChangeProblems { get; } =
        [NotFound, Problem.From(ErrorKind.VersionMismatch), Problem.From(ErrorKind.StorageFull), Unavailable];

    /// <summary>Of every request with a task or a patch.</summary>
    public static Problem[] BodyProblems { get; } =
    [
        Problem.InvalidJson("a member is repeated"),
        Problem.InvalidBody([new Violation("/title", "is required")]),
        Framework(StatusCodes.Status400BadRequest, "The body is not framed correctly"),
        Framework(StatusCodes.Status408RequestTimeout, "The body did not arrive in time"),
        Problem.ContentTooLarge(BodyBytesMax),
        Problem.UnsupportedMediaType("The Content-Type must be application/json, in UTF-8."),
        Framework(StatusCodes.Status431RequestHeaderFieldsTooLarge, "The trailers are too long"),
    ];

    public static DescribedComponents Describe()
    {
        var task = TaskSchema();
        return new DescribedComponents
        {
            Schemas = new JsonObject
            {
                ["Task"] = task,
                ["TaskPatch"] = PatchOf(task),
                ["Tasks"] = new JsonObject
                {
                    ["type"] = "object",
                    ["propertyNames"] = Id(),
                    ["additionalProperties"] = new JsonObject { ["$ref"] = "#/components/schemas/Task" },
                },
            },
            Examples = new Dictionary<string, string>
            {
                ["Task"] = SomeTask,
                ["Tasks"] = $$"""{"{{SomeId}}":{{SomeTask}}}""",
                ["TaskPatch"] = """{"completed":true,"priority":null}""",
            },
            Parameters = Parameters(task),
            Headers = new JsonObject
            {
                ["Link"] = DescribedComponents.Header(
                    "Where the next page is (RFC 8288); not there on the last one.",
                    $"</tasks?limit=100&after={SomeId}>; rel=\"next\"", isRequired: false),
                ["Location"] = DescribedComponents.Header("The path of the task.", $"/tasks/{SomeId}"),
            },
            Tags = new Dictionary<string, string> { ["tasks"] = "The todo list" },
        };
    }

    private static JsonObject Parameters(JsonObject task) => new()
    {
        ["id"] = DescribedComponents.Parameter("path", "id", "The id of a task.", Id(), SomeId),
        ["limit"] = DescribedComponents.Parameter(
            "query", "limit", $"At most so many tasks; more than {TaskQuery.LimitItemsMax} are never sent.",
            new JsonObject { ["type"] = "integer", ["minimum"] = 1 }, 100),
        ["after"] = DescribedComponents.Parameter(
            "query", "after", "Only tasks with ids after this one.", Id(), SomeId),
        ["completed"] = DescribedComponents.Parameter(
            "query", "completed", "Only tasks that are, or are not.", new JsonObject { ["type"] = "boolean" }, false),
        ["priority"] = DescribedComponents.Parameter(
            "query", "priority", "Only tasks of this priority.",
            task["properties"]!["priority"]!.DeepClone().AsObject(), "high"),
        ["due_before"] = DescribedComponents.Parameter(
            "query", "due_before", "Only tasks that are due before this time, in Unix seconds.",
            new JsonObject { ["type"] = "number" }, 1_893_456_000),
        [TaskEndpoints.KeyHeader] = DescribedComponents.Parameter(
            "header", TaskEndpoints.KeyHeader,
            "Makes a retry safe: the same key and body get the first response again.",
            new JsonObject { ["type"] = "string", ["minLength"] = 1, ["maxLength"] = IdempotencyKey.CharactersMax },
            "8e03978e-40d5-43e8-bc93-6894a57f9324"),
    };

    private static JsonObject Id() => new() { ["type"] = "string", ["pattern"] = "^[A-Za-z0-9-]{1,64}$" };

    /// <summary>The contract itself, out of its file.</summary>
    private static JsonObject TaskSchema()
    {
        using var file = typeof(TaskComponents).Assembly.GetManifestResourceStream(SchemaFile)!;
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

    private static Problem Framework(int status, string detail) =>
        new(status, ReasonPhrases.GetReasonPhrase(status), detail);
}
