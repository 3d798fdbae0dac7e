using TaskService.Http;

namespace TaskService.Operations;

/// <summary><c>versions.json</c>: the commit and the packages that this build was made of.</summary>
internal static class VersionsEndpoint
{
    public static void MapVersions(this IEndpointRouteBuilder operations)
    {
        var body = BuildVersions.Read(AppContext.BaseDirectory);
        operations.MapGet("/versions.json", () => new ApiResult { Status = StatusCodes.Status200OK, Body = body });
    }
}
