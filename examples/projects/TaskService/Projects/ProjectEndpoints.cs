using TaskService.Domain;
using TaskService.Http;

namespace TaskService.Projects;

/// <summary>The handlers of <see cref="ProjectRoutes"/>.</summary>
/// <param name="projects">The use cases.</param>
/// <param name="time">Of new projects.</param>
/// <param name="bodyBytesMax">Of a request.</param>
internal sealed class ProjectEndpoints(ProjectService projects, TimeProvider time, int bodyBytesMax)
{
    public const string Path = "/projects";

    /// <summary>In messages.</summary>
    public const string TypeName = "Project";

    private static readonly Representation<Project> Representation =
        new((project, writer) => ProjectJson.FromDomain(project).Write(writer));

    private readonly ResourceList<Project, ProjectQuery> list = new(projects, Representation, new(
        new ProjectQuery(),
        ListFilter.Flag<ProjectQuery>("archived", (query, flag) => query with { Archived = flag })));

    public ValueTask<ApiResult> ListAsync(HttpContext http, CancellationToken cancel) =>
        list.AnswerAsync(http, Path, cancel);

    public async ValueTask<ApiResult> CreateAsync(HttpContext http, CancellationToken cancel)
    {
        var (json, body, problem) = await RequestBody.ReadAsync(http, bodyBytesMax, ProjectJson.Members, cancel);
        if (problem is not null || !IdempotencyHeader.TryRead(http.Request, body!, out var key, out problem))
        {
            return problem!;
        }
        var created = await projects.CreateAsync(json!.ToDomain(time.GetUtcNow()), key, cancel);
        return created.Refusal is { } refusal
            ? Problem.From(refusal) : ApiResult.Created($"{Path}/{created.Id}", created.Version);
    }

    public async ValueTask<ApiResult> FindAsync(string id, CancellationToken cancel) =>
        await projects.FindAsync(id, cancel) is { } found
            ? Representation.Result(found) : Problem.NotFound(TypeName, id);

    public async ValueTask<ApiResult> ReplaceAsync(string id, HttpContext http, CancellationToken cancel)
    {
        var (json, _, problem) = await RequestBody.ReadAsync(http, bodyBytesMax, ProjectJson.Members, cancel);
        return problem is not null
            ? problem
            : await ChangeAsync(id, http, project => json!.ToDomain(project.Created), cancel);
    }

    public async ValueTask<ApiResult> PatchAsync(string id, HttpContext http, CancellationToken cancel)
    {
        var (patch, problem) = await RequestBody.ReadPatchAsync(http, bodyBytesMax, ProjectJson.Members, cancel);
        return problem is not null
            ? problem
            : await ChangeAsync(id, http, project => ProjectJson.Apply(patch!, project), cancel);
    }

    public async ValueTask<ApiResult> DeleteAsync(string id, HttpContext http, CancellationToken cancel) =>
        Changed(await projects.DeleteAsync(id, Preconditions.OfChange(http.Request), cancel), id);

    private async ValueTask<ApiResult> ChangeAsync(
        string id, HttpContext http, Func<Project, Project> change, CancellationToken cancel) =>
        Changed(await projects.ChangeAsync(id, change, Preconditions.OfChange(http.Request), cancel), id);

    private static ApiResult Changed(ErrorKind? refusal, string id) =>
        refusal is { } kind ? Problem.From(kind, TypeName, id) : ApiResult.NoContent;
}
