using Microsoft.AspNetCore.WebUtilities;
using TaskService.Domain;

namespace TaskService.Http.OpenApi;

/// <summary>
/// The operations in words. Which exist is decided by the routes, and what is sent by the code: tests compare all
/// three.
/// </summary>
internal static class OpenApiOperations
{
    private const string Json = "application/json";
    private const int BodyBytesMax = 1_048_576;

    private static readonly Problem[] Failures =
    [
        Problem.Unexpected, Problem.Overloaded, Problem.TimedOut, Problem.From(ErrorKind.StorageUnavailable),
    ];

    private static readonly Problem[] ReadRefusals =
        [Problem.NotAcceptable, Problem.From(ErrorKind.VersionMismatch), .. Failures];

    private static readonly Problem[] BodyRefusals =
    [
        Problem.InvalidJson("a member is repeated"),
        Problem.InvalidTask([new Violation("/title", "is required")]),
        Framework(StatusCodes.Status400BadRequest, "The body is not framed correctly"),
        Framework(StatusCodes.Status408RequestTimeout, "The body did not arrive in time"),
        Problem.ContentTooLarge(BodyBytesMax),
        Problem.UnsupportedMediaType("The Content-Type must be application/json, in UTF-8."),
        Framework(StatusCodes.Status431RequestHeaderFieldsTooLarge, "The trailers are too long"),
        Problem.From(ErrorKind.StorageFull),
    ];

    private static readonly Problem NotFound = Problem.From(ErrorKind.TaskNotFound, OpenApiComponents.SomeId);

    private static readonly Problem[] ChangeRefusals =
        [NotFound, Problem.From(ErrorKind.VersionMismatch), .. Failures];

    /// <summary>Each with what it stands for.</summary>
    public static IReadOnlyList<(string Name, string Description)> Tags { get; } =
    [
        ("tasks", "The todo list"),
        ("health", "For those who restart the service and send it traffic"),
        ("document", "This description"),
    ];

    public static IReadOnlyList<OpenApiOperation> All { get; } =
    [
        new("GET", "/tasks", "listTasks", "List tasks")
        {
            Description = "An object from id to task, in id order, which is the order of creation. A list that fits "
                + "into 64 KiB has an `ETag`; a longer one is streamed.",
            Parameters =
            [
                "limit", "after", "completed", "priority", "due_before", "If-None-Match", "If-Match", ReadAfter.Header,
            ],
            Answers =
            [
                new(200, "The tasks", ["ETag", "Link", "Content-Encoding"], "Tasks"),
                new(304, "The client has this list already", ["ETag", "Link"]),
            ],
            Problems = [Problem.InvalidQuery("limit must be a whole number from 1"), .. ReadRefusals],
        },
        new("POST", "/tasks", "createTask", "Create a task")
        {
            Description = "The service chooses the id, which is in `Location`.",
            Parameters = ["Idempotency-Key"],
            Bodies = [(Json, "Task")],
            Answers = [new(201, "Where the new task is", ["ETag", "Location", ReadAfter.Header])],
            Problems =
            [
                .. BodyRefusals, Problem.InvalidIdempotencyKey, Problem.From(ErrorKind.KeyInUse),
                Problem.From(ErrorKind.KeyReused), .. Failures,
            ],
        },
        new("GET", "/tasks/{id}", "getTask", "Read a task")
        {
            Description = "One task, with the `ETag` that conditions of later requests take.",
            Parameters = ["id", "If-None-Match", "If-Match", ReadAfter.Header],
            Answers =
            [
                new(200, "The task, with its defaults filled in", ["ETag", "Content-Encoding"], "Task"),
                new(304, "The client has this version already", ["ETag"]),
            ],
            Problems = [NotFound, .. ReadRefusals],
        },
        new("PUT", "/tasks/{id}", "replaceTask", "Replace a task")
        {
            Description = "Replaces the whole task; does not create one.",
            Parameters = ["id", "If-Match", "If-None-Match"],
            Bodies = [(Json, "Task")],
            Answers = [new(204, "It is replaced", [ReadAfter.Header])],
            Problems = [.. BodyRefusals, .. ChangeRefusals],
        },
        new("PATCH", "/tasks/{id}", "patchTask", "Change a task")
        {
            Description = "A JSON merge patch (RFC 7396): null removes, so that a priority is the default again.",
            Parameters = ["id", "If-Match", "If-None-Match"],
            Bodies = [(RequestBody.MergePatch, "TaskPatch"), (Json, "TaskPatch")],
            Answers = [new(204, "It is changed", [ReadAfter.Header])],
            Problems = [.. BodyRefusals, .. ChangeRefusals],
        },
        new("DELETE", "/tasks/{id}", "deleteTask", "Delete a task")
        {
            Description = "Deletes the task for good.",
            Parameters = ["id", "If-Match", "If-None-Match"],
            Answers = [new(204, "It is gone", [ReadAfter.Header])],
            Problems = [Problem.From(ErrorKind.StorageFull), .. ChangeRefusals],
        },
        new("GET", "/health/live", "live", "Does the process live?")
        {
            Tag = "health",
            Description = "Answers as long as the process can; one that does not is to be restarted.",
            Answers = [new(200, "It does", ["Cache-Control"], "Health")],
            IsShared = false,
        },
        new("GET", "/health/ready", "ready", "Is it ready for requests?")
        {
            Tag = "health",
            Description = "Whether the service is to get traffic.",
            Answers =
            [
                new(200, "It is", ["Cache-Control"], "Health"),
                new(503, "It stops, or its storage takes no changes", ["Cache-Control"], "Health"),
            ],
            IsShared = false,
        },
        new("GET", OpenApiEndpoint.Path, "openApi", "This document")
        {
            Tag = "document",
            Description = "What the service can do, for clients and generators.",
            Parameters = ["If-None-Match", "If-Match"],
            Answers =
            [
                new(200, "OpenAPI 3.1", ["ETag", "Content-Encoding"], "Document"),
                new(304, "The client has this document already", ["ETag"]),
            ],
            Problems = [.. ReadRefusals],
        },
    ];

    private static Problem Framework(int status, string detail) =>
        new(status, ReasonPhrases.GetReasonPhrase(status), detail);
}
