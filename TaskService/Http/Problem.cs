using System.Buffers;
using System.Text.Json;
using Microsoft.AspNetCore.WebUtilities;
using TaskService.Domain;

namespace TaskService.Http;

/// <summary>
/// Why a request was refused or failed, and its body: problem details (RFC 9457) with the members of the tutorial.
/// </summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Message">One of a few texts that clients may rely on.</param>
/// <param name="Detail">What exactly, and what is allowed; null when the message says it all.</param>
/// <param name="Violations">What is wrong with each place of the body; null when it is not that.</param>
internal sealed record Problem(
    int Status, string Message, string? Detail = null, IReadOnlyList<Violation>? Violations = null)
{
    public const string ContentType = "application/problem+json";

    public static readonly Problem UnknownEndpoint = new(StatusCodes.Status404NotFound, "Unknown Endpoint");
    public static readonly Problem MethodNotAllowed = new(StatusCodes.Status405MethodNotAllowed, "Method Not Allowed");
    public static readonly Problem NotAcceptable = new(
        StatusCodes.Status406NotAcceptable, "Not Acceptable", "There is application/json, plain, gzip or br.");

    public static readonly Problem InvalidIdempotencyKey = new(
        StatusCodes.Status400BadRequest,
        "Invalid Idempotency-Key",
        $"The key must have 1 to {IdempotencyKey.CharactersMax} visible ASCII characters, in quotes or not, "
        + "and comes once.");

    /// <summary>The one public text for the unexpected.</summary>
    public static readonly Problem Unexpected =
        new(StatusCodes.Status500InternalServerError, "Internal Server Error");

    public static readonly Problem Overloaded = new(
        StatusCodes.Status503ServiceUnavailable, "Service Unavailable", "There are too many requests at once.");

    public static readonly Problem TimedOut = new(
        StatusCodes.Status503ServiceUnavailable, "Service Unavailable", "The request took too long.");

    public static Problem ContentTooLarge(int bytesMax) => new(
        StatusCodes.Status413PayloadTooLarge, "Content Too Large", $"The body may have {bytesMax} bytes.");

    public static Problem InvalidJson(string detail) =>
        new(StatusCodes.Status400BadRequest, "Invalid JSON body", detail);

    public static Problem InvalidBody(IReadOnlyList<Violation> violations) =>
        new(StatusCodes.Status400BadRequest, "JSON Schema validation failed", Violations: violations);

    public static Problem InvalidQuery(string detail) => new(StatusCodes.Status400BadRequest, "Invalid query", detail);

    public static Problem UnsupportedMediaType(string detail) =>
        new(StatusCodes.Status415UnsupportedMediaType, "Unsupported Media Type", detail);

    /// <param name="name">Of the type, such as <c>Task</c>.</param>
    /// <param name="id">Nothing has it.</param>
    public static Problem NotFound(string name, string id) =>
        new(StatusCodes.Status404NotFound, $"{name} '{id}' does not exist");

    /// <summary>The one table from what can go wrong in the domain to HTTP.</summary>
    /// <param name="kind">The error.</param>
    /// <param name="name">As in <see cref="NotFound"/>.</param>
    /// <param name="id">Of the resource that was asked for.</param>
    public static Problem From(ErrorKind kind, string name = "Resource", string id = "") => kind switch
    {
        ErrorKind.NotFound => NotFound(name, id),
        ErrorKind.ParentNotFound => new(StatusCodes.Status404NotFound, "The parent does not exist"),
        ErrorKind.HasChildren => new(
            StatusCodes.Status409Conflict, $"{name} '{id}' is in use", "Others belong to it; delete them first."),
        ErrorKind.VersionMismatch => new(StatusCodes.Status412PreconditionFailed, "Precondition Failed"),
        ErrorKind.KeyInUse => new(
            StatusCodes.Status409Conflict,
            "Idempotency-Key in use",
            "The first request with this key is not finished."),
        ErrorKind.KeyReused => new(
            StatusCodes.Status422UnprocessableEntity,
            "Idempotency-Key reused",
            "This key was used with another body."),
        ErrorKind.StorageUnavailable => new(StatusCodes.Status503ServiceUnavailable, "Storage is not available"),
        ErrorKind.StorageFull => new(StatusCodes.Status507InsufficientStorage, "Storage is full"),
        _ => Unexpected,
    };

    /// <summary>The body.</summary>
    /// <param name="method">Of the request.</param>
    /// <param name="path">Of the request, without its query.</param>
    /// <param name="requestId">As in the log.</param>
    /// <param name="trace">The exception, for <c>--debug</c> only.</param>
    public ReadOnlyMemory<byte> ToJson(string method, string path, string requestId, string? trace)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using var writer = new Utf8JsonWriter(buffer, StrictJson.WriterOptions);
        writer.WriteStartObject();
        writer.WriteString("type"u8, "about:blank"u8);
        writer.WriteString("title"u8, ReasonPhrases.GetReasonPhrase(Status));
        writer.WriteNumber("status"u8, Status);
        if (Detail is not null)
        {
            writer.WriteString("detail"u8, Detail);
        }
        writer.WriteString("method"u8, method);
        writer.WriteString("uri"u8, path);
        writer.WriteNumber("code"u8, Status);
        writer.WriteString("message"u8, Message);
        writer.WriteString("request_id"u8, requestId);
        if (Violations is not null)
        {
            writer.WriteStartArray("errors"u8);
            foreach (var violation in Violations)
            {
                writer.WriteStartObject();
                writer.WriteString("pointer"u8, violation.Pointer);
                writer.WriteString("message"u8, violation.Message);
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
        }
        if (trace is not null)
        {
            writer.WriteString("trace"u8, trace);
        }
        writer.WriteEndObject();
        writer.Flush();
        return buffer.WrittenMemory;
    }
}
