using System.IO.Hashing;
using System.Text;

namespace TaskService.Http.OpenApi;

/// <summary>Serves the description of the API. Without this folder and its line in Program there is none.</summary>
internal static class OpenApiEndpoint
{
    public const string Path = "/openapi.json";

    public static void MapOpenApi(this WebApplication app, string serviceName)
    {
        // Made at the first request: by then all endpoints are there, and the start does not wait for it.
        var result = new Lazy<ApiResult>(() => Make(new OpenApiDocument(
            app.Services.GetRequiredService<EndpointDataSource>(), serviceName)));
        app.MapGet(Path, () => result.Value);
    }

    private static ApiResult Make(OpenApiDocument document)
    {
        var body = Encoding.UTF8.GetBytes(document.ToJson().ToJsonString(OpenApiDocument.Text));
        return new ApiResult
        {
            Status = StatusCodes.Status200OK,
            Body = body,
            Tag = XxHash128.HashToUInt128(body),
        };
    }
}
