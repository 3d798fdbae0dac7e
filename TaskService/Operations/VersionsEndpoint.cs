using TaskService.Http;

namespace TaskService.Operations;

/// <summary><c>versions.json</c>: what this build was made of.</summary>
internal static class VersionsEndpoint
{
    public static void MapVersions(this IEndpointRouteBuilder operations) =>
        operations.MapGet("/versions.json", () => new ApiResult
        {
            Status = StatusCodes.Status200OK,
            Body = """{"main":{},"packages":{}}"""u8.ToArray(),
        });
}
