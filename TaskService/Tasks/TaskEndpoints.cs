using TaskService.Domain;
using TaskService.Http;

namespace TaskService.Tasks;

/// <summary>The handlers of <see cref="TaskRoutes"/>.</summary>
/// <param name="tasks">The list.</param>
/// <param name="bodyBytesMax">Of a request.</param>
internal sealed class TaskEndpoints(TodoListService tasks, int bodyBytesMax)
{
    public const string Path = "/tasks";

    /// <summary>In messages.</summary>
    public const string TypeName = "Task";

    public static Representation<TaskEntry> Representation { get; } =
        new((task, writer) => TaskJson.FromDomain(task).Write(writer));

    private readonly ResourceList<TaskEntry, TaskQuery> list = new(tasks, Representation, new(
        TaskQuery.All,
        ListFilter.Flag<TaskQuery>("completed", (query, flag) => query with { Completed = flag }),
        new("priority", TaskJson.PriorityMessage, (query, text) =>
            TaskJson.ParsePriority(text) is { } priority ? query with { Priority = priority } : null),
        ListFilter.Time<TaskQuery>("due_before", (query, time) => query with { DueBefore = time })));

    public ValueTask<ApiResult> ListAsync(HttpContext http, CancellationToken cancel) =>
        list.AnswerAsync(http, Path, cancel);

    public async ValueTask<ApiResult> CreateAsync(HttpContext http, CancellationToken cancel)
    {
        var (task, body, problem) = await RequestBody.ReadAsync(http, bodyBytesMax, TaskJson.Members, cancel);
        if (problem is not null || !IdempotencyHeader.TryRead(http.Request, body!, out var key, out problem))
        {
            return problem!;
        }
        var created = await tasks.CreateAsync(task!.ToDomain(), key, cancel);
        return created.Refusal is { } refusal
            ? Problem.From(refusal) : ApiResult.Created($"{Path}/{created.Id}", created.Version);
    }

    public async ValueTask<ApiResult> FindAsync(string id, CancellationToken cancel) =>
        await tasks.FindAsync(id, cancel) is { } found
            ? Representation.Result(found) : Problem.NotFound(TypeName, id);

    public async ValueTask<ApiResult> ReplaceAsync(string id, HttpContext http, CancellationToken cancel)
    {
        // The body comes first: what no task could be is refused before anyone looks for one.
        var (task, _, problem) = await RequestBody.ReadAsync(http, bodyBytesMax, TaskJson.Members, cancel);
        return problem is not null
            ? problem
            : Changed(await tasks.ReplaceAsync(id, task!.ToDomain(), Preconditions.OfChange(http.Request), cancel), id);
    }

    public async ValueTask<ApiResult> PatchAsync(string id, HttpContext http, CancellationToken cancel)
    {
        var (patch, problem) = await RequestBody.ReadPatchAsync(http, bodyBytesMax, TaskJson.Members, cancel);
        return problem is not null
            ? problem
            : Changed(
                await tasks.ChangeAsync(
                    id, task => TaskJson.Apply(patch!, task), Preconditions.OfChange(http.Request), cancel),
                id);
    }

    public async ValueTask<ApiResult> DeleteAsync(string id, HttpContext http, CancellationToken cancel) =>
        Changed(await tasks.DeleteAsync(id, Preconditions.OfChange(http.Request), cancel), id);

    private static ApiResult Changed(ErrorKind? refusal, string id) =>
        refusal is { } kind ? Problem.From(kind, TypeName, id) : ApiResult.NoContent;
}
