using System.Text.Json.Nodes;
using Microsoft.AspNetCore.WebUtilities;
using TaskService.Domain;

namespace TaskService.Http;

/// <summary>
/// Describes the usual operations on a resource: list, create, read, replace, patch, delete. Its schemas are
/// <c>NAME</c>, <c>NAMEs</c> and <c>NAMEPatch</c>.
/// </summary>
/// <param name="Name">Of the type, such as <c>Task</c>.</param>
/// <param name="Filters">Names of the parameters of a list, besides <c>limit</c> and <c>after</c>.</param>
internal sealed record ResourceDescription(string Name, params IReadOnlyList<string> Filters)
{
    public const string SomeId = "01a1fcda9ce570ab8a52288b45ce5eed";

    private const string Json = "application/json";
    private const int BodyBytesMax = 1_048_576;

    private static readonly Problem Unavailable = Problem.From(ErrorKind.StorageUnavailable);

    // Of every request with a body.
    private static readonly Problem[] BodyProblems =
    [
        Problem.InvalidJson("a member is repeated"),
        Framework(StatusCodes.Status400BadRequest, "The body is not framed correctly"),
        Framework(StatusCodes.Status408RequestTimeout, "The body did not arrive in time"),
        Problem.ContentTooLarge(BodyBytesMax),
        Problem.UnsupportedMediaType("The Content-Type must be application/json, in UTF-8."),
        Framework(StatusCodes.Status431RequestHeaderFieldsTooLarge, "The trailers are too long"),
    ];

    /// <summary>A member that is required, for the example of a refused body.</summary>
    public required string RequiredMember { get; init; }

    /// <summary>Names of parameters of the path before the id, such as that of a parent.</summary>
    public IReadOnlyList<string> PathParameters { get; init; } = [];

    /// <summary>Further reasons to refuse any of the operations, such as a parent that does not exist.</summary>
    public IReadOnlyList<Problem> Problems { get; init; } = [];

    private Problem NotFound => Problem.NotFound(Name, SomeId);

    private Problem InvalidBody => Problem.InvalidBody([new Violation($"/{RequiredMember}", "is required")]);

    private IEnumerable<Problem> ChangeProblems =>
    [
        .. Problems, NotFound, Problem.From(ErrorKind.VersionMismatch), Problem.From(ErrorKind.StorageFull),
        Unavailable,
    ];

    public EndpointDescription List() => new()
    {
        Parameters = [.. PathParameters, "limit", "after", .. Filters, "If-None-Match", "If-Match", ReadAfter.Header],
        Responses =
        [
            new(200, "The list", ["ETag", "Link"], $"{Name}s"),
            new(304, "The client has this list already", ["ETag", "Link"]),
        ],
        Problems = [.. Problems, Problem.InvalidQuery("limit must be a whole number from 1"), Unavailable],
    };

    public EndpointDescription Create() => new()
    {
        Parameters = [.. PathParameters, IdempotencyHeader.Name],
        Bodies = [(Json, Name)],
        Responses = [new(201, "Where the new one is", ["ETag", "Location", ReadAfter.Header])],
        Problems =
        [
            .. Problems, InvalidBody, .. BodyProblems, Problem.InvalidIdempotencyKey,
            Problem.From(ErrorKind.KeyInUse), Problem.From(ErrorKind.KeyReused), Problem.From(ErrorKind.StorageFull),
            Unavailable,
        ],
    };

    public EndpointDescription Find() => new()
    {
        Parameters = [.. PathParameters, "id", "If-None-Match", "If-Match", ReadAfter.Header],
        Responses =
        [
            new(200, "It, with its defaults filled in", ["ETag"], Name),
            new(304, "The client has this version already", ["ETag"]),
        ],
        Problems = [.. Problems, NotFound, Unavailable],
    };

    public EndpointDescription Replace() => new()
    {
        Parameters = [.. PathParameters, "id", "If-Match", "If-None-Match"],
        Bodies = [(Json, Name)],
        Responses = [new(204, "It is replaced", [ReadAfter.Header])],
        Problems = [InvalidBody, .. BodyProblems, .. ChangeProblems],
    };

    public EndpointDescription Patch() => new()
    {
        Parameters = [.. PathParameters, "id", "If-Match", "If-None-Match"],
        Bodies = [(RequestBody.MergePatch, $"{Name}Patch"), (Json, $"{Name}Patch")],
        Responses = [new(204, "It is changed", [ReadAfter.Header]), new(415, "", ["Accept-Patch"])],
        Problems = [InvalidBody, .. BodyProblems, .. ChangeProblems],
    };

    /// <param name="problems">Further reasons to refuse it.</param>
    public EndpointDescription Delete(params IEnumerable<Problem> problems) => new()
    {
        Parameters = [.. PathParameters, "id", "If-Match", "If-None-Match"],
        Responses = [new(204, "It is gone", [ReadAfter.Header])],
        Problems = [.. problems, .. ChangeProblems],
    };

    /// <summary>The schemas that the operations name, and examples.</summary>
    /// <param name="schema">Of a representation and of the body of a request, in JSON Schema.</param>
    /// <param name="example">A representation.</param>
    /// <param name="patch">A merge patch.</param>
    public DescribedComponents Components(JsonObject schema, string example, string patch) => new()
    {
        Schemas = new JsonObject
        {
            [Name] = schema,
            [$"{Name}Patch"] = PatchOf(schema),
            [$"{Name}s"] = new JsonObject
            {
                ["type"] = "object",
                ["propertyNames"] = IdSchema(),
                ["additionalProperties"] = new JsonObject { ["$ref"] = $"#/components/schemas/{Name}" },
            },
        },
        Examples = new Dictionary<string, string>
        {
            [Name] = example,
            [$"{Name}s"] = $$"""{"{{SomeId}}":{{example}}}""",
            [$"{Name}Patch"] = patch,
        },
    };

    public static JsonObject IdSchema() => new() { ["type"] = "string", ["pattern"] = "^[A-Za-z0-9-]{1,64}$" };

    /// <summary>As the schema, but nothing is required, and all that was not may be removed by null.</summary>
    private static JsonObject PatchOf(JsonObject schema)
    {
        var patch = schema.DeepClone().AsObject();
        var required = (patch["required"] as JsonArray)?.Select(name => (string?)name).ToHashSet() ?? [];
        patch.Remove("required");
        foreach (var (name, property) in patch["properties"]!.AsObject())
        {
            if (!required.Contains(name))
            {
                property!["type"] = new JsonArray((string)property["type"]!, "null");
                (property["enum"] as JsonArray)?.Add(null);
            }
        }
        return patch;
    }

    private static Problem Framework(int status, string detail) =>
        new(status, ReasonPhrases.GetReasonPhrase(status), detail);
}
