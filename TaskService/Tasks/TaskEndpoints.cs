using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Extensions.Primitives;
using TaskService.Domain;
using TaskService.Http;

namespace TaskService.Tasks;

/// <summary>The handlers of <see cref="TaskRoutes"/>.</summary>
/// <param name="tasks">The list.</param>
/// <param name="bodyBytesMax">Of a request.</param>
internal sealed class TaskEndpoints(TodoListService tasks, int bodyBytesMax)
{
    /// <summary>In messages.</summary>
    public const string TypeName = "Task";

    public const string KeyHeader = "Idempotency-Key";

    private readonly TaskListCache all = new(tasks);

    public async ValueTask<ApiResult> ListAsync(HttpContext http, CancellationToken cancel)
    {
        var query = TaskListQuery.Parse(http.Request.QueryString.Value ?? "", out var problem);
        if (problem is not null)
        {
            return problem;
        }
        if (ReferenceEquals(query, TaskListQuery.All) && await all.FindAsync(cancel) is { } known)
        {
            return known;
        }
        var body = await TaskListBody.BeginAsync(tasks, query, cancel);
        http.Response.RegisterForDisposeAsync(body);
        return new ApiResult
        {
            Status = StatusCodes.Status200OK,
            Body = body.Whole,
            Stream = body.Whole.IsEmpty ? body : null,
            Tag = body.Tag,
            Link = body.LastIdOfPage is { } last ? query.NextLink(last) : null,
        };
    }

    public async ValueTask<ApiResult> CreateAsync(HttpContext http, CancellationToken cancel)
    {
        var (body, problem) = await ReadBodyAsync(http, isPatch: false, cancel);
        if (problem is not null || !TryReadTask(body!, out var entry, out problem))
        {
            return problem!;
        }
        IdempotencyKey? key = null;
        if (http.Request.Headers.TryGetValue(KeyHeader, out var given))
        {
            if (KeyIn(given) is not { } text)
            {
                return Problem.InvalidIdempotencyKey;
            }
            key = new IdempotencyKey(text, BinaryPrimitives.ReadUInt128BigEndian(SHA256.HashData(body!)));
        }
        var created = await tasks.CreateAsync(entry!, key, cancel);
        return created.Refusal is { } refusal
            ? Problem.From(refusal)
            : new ApiResult
            {
                Status = StatusCodes.Status201Created,
                Location = $"/tasks/{created.Id}",
                Tag = Preconditions.TagOf(created.Version.Hash),
            };
    }

    public async ValueTask<ApiResult> FindAsync(string id, CancellationToken cancel) =>
        await tasks.FindAsync(id, cancel) is not { } found
            ? Problem.NotFound(TypeName, id)
            : EncodedTask.Result(found);

    public async ValueTask<ApiResult> ReplaceAsync(
        string id, HttpContext http, CancellationToken cancel)
    {
        // The body comes first: what no task could be is refused before anyone looks for one.
        var (body, problem) = await ReadBodyAsync(http, isPatch: false, cancel);
        if (problem is not null || !TryReadTask(body!, out var entry, out problem))
        {
            return problem!;
        }
        return Changed(await tasks.ReplaceAsync(id, entry!, Allows(http.Request), cancel), id);
    }

    public async ValueTask<ApiResult> PatchAsync(
        string id, HttpContext http, CancellationToken cancel)
    {
        var (body, problem) = await ReadBodyAsync(http, isPatch: true, cancel);
        if (problem is null && TryRead(body!, TaskJson.ReadPatch, out var patch, out problem))
        {
            return Changed(
                await tasks.ChangeAsync(id, task => TaskJson.Apply(patch!, task), Allows(http.Request), cancel), id);
        }
        if (problem!.Status == StatusCodes.Status415UnsupportedMediaType)
        {
            http.Response.Headers["Accept-Patch"] = RequestBody.MergePatch;
        }
        return problem;
    }

    public async ValueTask<ApiResult> DeleteAsync(
        string id, HttpContext http, CancellationToken cancel) =>
        Changed(await tasks.DeleteAsync(id, Allows(http.Request), cancel), id);

    private ValueTask<(byte[]? Body, Problem? Problem)> ReadBodyAsync(
        HttpContext http, bool isPatch, CancellationToken cancel) =>
        RequestBody.ReadAsync(http.Request, bodyBytesMax, isPatch, cancel);

    private static ApiResult Changed(ErrorKind? refusal, string id) =>
        refusal is { } kind ? Problem.From(kind, TypeName, id) : ApiResult.NoContent;

    /// <summary>Whether the request allows a version to be changed; null when it does not care.</summary>
    private static Predicate<ContentVersion>? Allows(HttpRequest request)
    {
        var conditions = new Preconditions(request.Headers);
        return conditions.Any ? Of(conditions) : null;

        // Apart, so that there is no closure without conditions.
        static Predicate<ContentVersion> Of(Preconditions conditions) =>
            version => conditions.ChangeIsAllowed(Preconditions.TagOf(version.Hash));
    }

    private static bool TryReadTask(byte[] body, out TaskEntry? entry, out Problem? problem)
    {
        var isRead = TryRead(body, TaskJson.Read, out var task, out problem);
        entry = isRead ? task!.ToDomain() : null;
        return isRead;
    }

    private static bool TryRead<T>(
        byte[] body, Func<ReadOnlySpan<byte>, List<Violation>, T> read, out T? result, out Problem? problem)
        where T : class
    {
        var violations = new List<Violation>();
        try
        {
            result = read(body, violations);
            problem = violations.Count == 0 ? null : Problem.InvalidBody(violations);
        }
        catch (JsonException error)
        {
            (result, problem) = (null, Problem.InvalidJson(error.Message));
        }
        return problem is null;
    }

    /// <summary>The key in a header, without the quotes that it may have; null when it is none, or when there are
    /// several.</summary>
    private static string? KeyIn(StringValues lines)
    {
        var header = lines is [{ } only] ? only : "";
        var isQuoted = header is ['"', .., '"'];
        var key = isQuoted ? header[1..^1] : header;
        // Half a quoted string, or one with something behind it, is neither form.
        var isWhole = isQuoted ? !key.Contains('"', StringComparison.Ordinal) : key is not (['"', ..] or [.., '"']);
        return isWhole
            && key.Length is >= 1 and <= IdempotencyKey.CharactersMax && key.All(c => c is > ' ' and < '\x7f')
            ? key
            : null;
    }
}
