using System.IO.Hashing;
using System.Text;
using System.Text.Json.Nodes;

namespace TaskService.Http.OpenApi;

/// <summary>Serves the description of the API. Without this folder and its lines in Program there is none.</summary>
internal static class OpenApiEndpoint
{
    public const string Path = "/openapi.json";

    /// <param name="app">Of the endpoints.</param>
    /// <param name="serviceName">The title.</param>
    public static void MapOpenApi(this WebApplication app, string serviceName)
    {
        // Made at the first request: by then all endpoints are there, and the start does not wait for it.
        var result = new Lazy<Task<ApiResult>>(() => MakeAsync(app.Services, serviceName));
        app.MapGet(Path, () => result.Value)
            .WithName("openApi").WithSummary("This document").WithTags("document").AllowAnonymous()
            .WithDescription("What the service can do, for clients and generators.")
            .DescribeComponents(() => new()
            {
                Schemas = new JsonObject { ["Document"] = new JsonObject { ["type"] = "object" } },
                Examples = new Dictionary<string, string> { ["Document"] = """{"openapi":"3.1.0"}""" },
                Tags = new Dictionary<string, string> { ["document"] = "This description" },
            })
            .Describe(() => new()
            {
                Parameters = ["If-None-Match", "If-Match"],
                Responses =
                [
                    new(200, "OpenAPI 3.1", ["ETag"], "Document"),
                    new(304, "The client has this document already", ["ETag"]),
                ],
            });
    }

    private static async Task<ApiResult> MakeAsync(IServiceProvider services, string serviceName)
    {
        var document = await OpenApiDocument.WriteAsync(services, serviceName);
        var body = Encoding.UTF8.GetBytes(document.ToJsonString(OpenApiDocument.Text));
        return new ApiResult
        {
            Status = StatusCodes.Status200OK,
            Body = body,
            Tag = Preconditions.TagOf(XxHash128.HashToUInt128(body)),
        };
    }
}
