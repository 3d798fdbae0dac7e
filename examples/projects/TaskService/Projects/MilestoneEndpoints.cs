using TaskService.Domain;
using TaskService.Http;

namespace TaskService.Projects;

/// <summary>The handlers of <see cref="MilestoneRoutes"/>.</summary>
/// <param name="milestones">The use cases.</param>
/// <param name="projects">Those that they belong to.</param>
/// <param name="bodyBytesMax">Of a request.</param>
internal sealed class MilestoneEndpoints(MilestoneService milestones, ProjectService projects, int bodyBytesMax)
{
    /// <summary>In messages.</summary>
    public const string TypeName = "Milestone";

    private static readonly Representation<Milestone> Representation =
        new((milestone, writer) => MilestoneJson.FromDomain(milestone).Write(writer));

    private readonly ResourceList<Milestone, MilestoneQuery> list = new(milestones, Representation, new(
        new MilestoneQuery(),
        ListFilter.Flag<MilestoneQuery>("done", (query, flag) => query with { Done = flag }),
        ListFilter.Time<MilestoneQuery>("due_before", (query, time) => query with { DueBefore = time })));

    public async ValueTask<ApiResult> ListAsync(string projectId, HttpContext http, CancellationToken cancel) =>
        await projects.FindAsync(projectId, cancel) is null
            ? NoProject(projectId)
            : await list.AnswerAsync(
                http, PathOf(projectId), cancel, within: query => query with { ProjectId = projectId });

    public async ValueTask<ApiResult> CreateAsync(string projectId, HttpContext http, CancellationToken cancel)
    {
        var (json, body, problem) = await RequestBody.ReadAsync(http, bodyBytesMax, MilestoneJson.Members, cancel);
        if (problem is not null || !IdempotencyHeader.TryRead(http.Request, body!, out var key, out problem))
        {
            return problem!;
        }
        var created = await milestones.CreateAsync(json!.ToDomain(projectId), key, cancel);
        return created.Refusal switch
        {
            null => ApiResult.Created($"{PathOf(projectId)}/{created.Id}", created.Version),
            ErrorKind.ParentNotFound => NoProject(projectId),
            { } refusal => Problem.From(refusal),
        };
    }

    public async ValueTask<ApiResult> FindAsync(string projectId, string id, CancellationToken cancel) =>
        await milestones.FindAsync(projectId, id, cancel) is { } found
            ? Representation.Result(found) : await AbsentAsync(projectId, id, cancel);

    public async ValueTask<ApiResult> ReplaceAsync(
        string projectId, string id, HttpContext http, CancellationToken cancel)
    {
        var (json, _, problem) = await RequestBody.ReadAsync(http, bodyBytesMax, MilestoneJson.Members, cancel);
        return problem is not null ? problem : await ChangedAsync(
            projectId,
            id,
            () => milestones.ReplaceAsync(
                id, json!.ToDomain(projectId), Preconditions.OfChange(http.Request), cancel),
            cancel);
    }

    public async ValueTask<ApiResult> PatchAsync(
        string projectId, string id, HttpContext http, CancellationToken cancel)
    {
        var (patch, problem) = await RequestBody.ReadPatchAsync(http, bodyBytesMax, MilestoneJson.Members, cancel);
        return problem is not null ? problem : await ChangedAsync(
            projectId,
            id,
            () => milestones.ChangeAsync(
                id, old => MilestoneJson.Apply(patch!, old), Preconditions.OfChange(http.Request), cancel),
            cancel);
    }

    public ValueTask<ApiResult> DeleteAsync(string projectId, string id, HttpContext http, CancellationToken cancel) =>
        ChangedAsync(
            projectId,
            id,
            () => milestones.DeleteAsync(id, Preconditions.OfChange(http.Request), cancel),
            cancel);

    private static string PathOf(string projectId) => $"{ProjectEndpoints.Path}/{projectId}/milestones";

    private static Problem NoProject(string projectId) => Problem.NotFound(ProjectEndpoints.TypeName, projectId);

    private async ValueTask<Problem> AbsentAsync(string projectId, string id, CancellationToken cancel) =>
        await projects.FindAsync(projectId, cancel) is null
            ? NoProject(projectId) : Problem.NotFound(TypeName, id);

    // The project is checked before any condition: a milestone of another one is not found, whatever its version is.
    private async ValueTask<ApiResult> ChangedAsync(
        string projectId, string id, Func<ValueTask<ErrorKind?>> change, CancellationToken cancel)
    {
        if (await milestones.FindAsync(projectId, id, cancel) is null)
        {
            return await AbsentAsync(projectId, id, cancel);
        }
        return await change() is { } refusal ? Problem.From(refusal, TypeName, id) : ApiResult.NoContent;
    }
}
