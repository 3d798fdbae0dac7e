using System.Buffers;
using System.Text.Json;
using TaskService.Domain;

namespace TaskService.Api;

/// <summary>The todo list over HTTP.</summary>
internal sealed class TaskEndpoints(TodoListService tasks)
{
    public void AddTo(Routes routes)
    {
        routes.Add(HttpMethods.Get, "/tasks", ListAsync);
        routes.Add(HttpMethods.Post, "/tasks", CreateAsync);
        routes.Add(HttpMethods.Get, "/tasks/{id}", FindAsync);
        routes.Add(HttpMethods.Put, "/tasks/{id}", ReplaceAsync);
        routes.Add(HttpMethods.Delete, "/tasks/{id}", DeleteAsync);
    }

    private ValueTask<Answer> ListAsync(HttpContext http, string id) => ValueTask.FromResult(new Answer
    {
        Status = StatusCodes.Status200OK,
        ContentType = Answer.Json,
        Tasks = tasks.ListAsync(TaskQuery.All, http.RequestAborted),
    });

    private async ValueTask<Answer> CreateAsync(HttpContext http, string id)
    {
        var (entry, problem) = await ReadTaskAsync(http);
        if (problem is not null)
        {
            return problem;
        }
        var created = await tasks.CreateAsync(entry!, http.RequestAborted);
        return new Answer
        {
            Status = StatusCodes.Status201Created,
            Location = $"/tasks/{created.Id}",
            Version = created.Version,
        };
    }

    private async ValueTask<Answer> FindAsync(HttpContext http, string id)
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
            ContentType = Answer.Json,
            Body = body.WrittenMemory,
            Version = found.Version,
        };
    }

    private async ValueTask<Answer> ReplaceAsync(HttpContext http, string id)
    {
        // The body comes first: what no task could be is refused before anyone looks for one.
        var (entry, problem) = await ReadTaskAsync(http);
        if (problem is not null)
        {
            return problem;
        }
        var refusal = await tasks.ReplaceAsync(id, entry!, expected: null, http.RequestAborted);
        return refusal is { } kind ? Problem.From(kind, id) : Answer.NoContent;
    }

    private async ValueTask<Answer> DeleteAsync(HttpContext http, string id)
    {
        var refusal = await tasks.DeleteAsync(id, expected: null, http.RequestAborted);
        return refusal is { } kind ? Problem.From(kind, id) : Answer.NoContent;
    }

    private static async ValueTask<(TaskEntry? Entry, Problem? Problem)> ReadTaskAsync(HttpContext http)
    {
        if (await RequestBody.ReadAsync(http.Request, http.RequestAborted) is not { } body)
        {
            return (null, Problem.ContentTooLarge);
        }
        var violations = new List<Violation>();
        try
        {
            var task = TaskJson.Read(body, violations);
            return violations.Count == 0 ? (task.ToDomain(), null) : (null, Problem.InvalidTask(violations));
        }
        catch (JsonException error)
        {
            return (null, Problem.InvalidJson(error.Message));
        }
    }
}
