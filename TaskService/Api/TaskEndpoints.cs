using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.Json;
using TaskService.Domain;

namespace TaskService.Api;

/// <summary>The todo list over HTTP.</summary>
/// <param name="tasks">The list.</param>
/// <param name="bodyBytesMax">Of a request.</param>
internal sealed class TaskEndpoints(TodoListService tasks, int bodyBytesMax)
{
    private const string KeyHeader = "Idempotency-Key";

    public void AddTo(Routes routes)
    {
        routes.Add(HttpMethods.Get, "/tasks", ListAsync);
        routes.Add(HttpMethods.Post, "/tasks", CreateAsync);
        routes.Add(HttpMethods.Get, "/tasks/{id}", FindAsync);
        routes.Add(HttpMethods.Put, "/tasks/{id}", ReplaceAsync);
        routes.Add(HttpMethods.Patch, "/tasks/{id}", PatchAsync);
        routes.Add(HttpMethods.Delete, "/tasks/{id}", DeleteAsync);
    }

    private async ValueTask<Answer> ListAsync(HttpContext http, RequestTarget target, string id)
    {
        var query = TaskListQuery.Parse(target.Query, out var problem);
        if (problem is not null)
        {
            return problem;
        }
        var body = await TaskListBody.BeginAsync(tasks, query, http.RequestAborted);
        http.Response.RegisterForDisposeAsync(body);
        return new Answer
        {
            Status = StatusCodes.Status200OK,
            Body = body.IsComplete ? body.Piece : (ReadOnlyMemory<byte>?)null,
            Tasks = body.IsComplete ? null : body,
            Tag = body.Tag,
            Link = body.LastIdOfPage is { } last ? query.NextLink(last) : null,
        };
    }

    private async ValueTask<Answer> CreateAsync(HttpContext http, RequestTarget target, string id)
    {
        var (body, problem) = await ReadBodyAsync(http, isPatch: false);
        if (problem is not null || !TryReadTask(body!, out var entry, out problem))
        {
            return problem!;
        }
        IdempotencyKey? key = null;
        if (http.Request.Headers.TryGetValue(KeyHeader, out var given))
        {
            if (KeyIn(given.ToString()) is not { } text)
            {
                return Problem.InvalidIdempotencyKey;
            }
            key = new IdempotencyKey(text, BinaryPrimitives.ReadUInt128BigEndian(SHA256.HashData(body!)));
        }
        var created = await tasks.CreateAsync(entry!, key, http.RequestAborted);
        return created.Refusal is { } refusal
            ? Problem.From(refusal)
            : new Answer
            {
                Status = StatusCodes.Status201Created,
                Location = $"/tasks/{created.TaskId}",
                Tag = created.Version.Hash,
            };
    }

    private async ValueTask<Answer> FindAsync(HttpContext http, RequestTarget target, string id)
    {
        if (await tasks.FindAsync(id, http.RequestAborted) is not { } found)
        {
            return Problem.From(ErrorKind.TaskNotFound, id);
        }
        var body = new ArrayBufferWriter<byte>(256);
        using var writer = new Utf8JsonWriter(body, TaskJson.WriterOptions);
        TaskJson.FromDomain(found.Entry).Write(writer);
        await writer.FlushAsync(http.RequestAborted);
        return new Answer
        {
            Status = StatusCodes.Status200OK,
            Body = body.WrittenMemory,
            Tag = found.Version.Hash,
        };
    }

    private async ValueTask<Answer> ReplaceAsync(HttpContext http, RequestTarget target, string id)
    {
        // The body comes first: what no task could be is refused before anyone looks for one.
        var (body, problem) = await ReadBodyAsync(http, isPatch: false);
        if (problem is not null || !TryReadTask(body!, out var entry, out problem))
        {
            return problem!;
        }
        return Changed(await tasks.ReplaceAsync(id, entry!, Allows(http.Request), http.RequestAborted), id);
    }

    private async ValueTask<Answer> PatchAsync(HttpContext http, RequestTarget target, string id)
    {
        var (body, problem) = await ReadBodyAsync(http, isPatch: true);
        TaskPatch? patch = null;
        problem ??= Read(violations => patch = TaskJson.ReadPatch(body, violations));
        if (problem is not null)
        {
            var isType = problem.Status == StatusCodes.Status415UnsupportedMediaType;
            return (Answer)problem with { AcceptPatch = isType ? RequestBody.MergePatch : null };
        }
        return Changed(await tasks.ChangeAsync(id, patch!.Apply, Allows(http.Request), http.RequestAborted), id);
    }

    private async ValueTask<Answer> DeleteAsync(HttpContext http, RequestTarget target, string id) =>
        Changed(await tasks.DeleteAsync(id, Allows(http.Request), http.RequestAborted), id);

    private ValueTask<(byte[]? Body, Problem? Problem)> ReadBodyAsync(HttpContext http, bool isPatch) =>
        RequestBody.ReadAsync(http.Request, bodyBytesMax, isPatch, http.RequestAborted);

    private static Answer Changed(ErrorKind? refusal, string id) =>
        refusal is { } kind ? Problem.From(kind, id) : Answer.NoContent;

    /// <summary>Whether the request allows a version to be changed; null when it does not care.</summary>
    private static Predicate<TaskVersion>? Allows(HttpRequest request)
    {
        var conditions = new Preconditions(request.Headers);
        return conditions.Any
            ? version => conditions.MatchAllows(version.Hash) && !conditions.NoneMatchNames(version.Hash)
            : null;
    }

    private static bool TryReadTask(byte[] body, out TaskEntry? entry, out Problem? problem)
    {
        TaskJson? task = null;
        problem = Read(violations => task = TaskJson.Read(body, violations));
        entry = problem is null ? task!.ToDomain() : null;
        return problem is null;
    }

    private static Problem? Read(Action<List<Violation>> read)
    {
        var violations = new List<Violation>();
        try
        {
            read(violations);
            return violations.Count == 0 ? null : Problem.InvalidTask(violations);
        }
        catch (JsonException error)
        {
            return Problem.InvalidJson(error.Message);
        }
    }

    /// <summary>The key in a header, without the quotes that it may have; null when it is none.</summary>
    private static string? KeyIn(string header)
    {
        var key = header is ['"', .., '"'] ? header[1..^1] : header;
        var isKey = key.Length is >= 1 and <= TodoListService.KeyCharactersMax && key.All(c => c is > ' ' and < '\x7f');
        return isKey ? key : null;
    }
}
