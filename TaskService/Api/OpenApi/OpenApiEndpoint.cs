using System.IO.Hashing;
using System.Text;

namespace TaskService.Api.OpenApi;

/// <summary>Serves the description of the API. Without this folder and its line in Program there is none.</summary>
internal static class OpenApiEndpoint
{
    public const string Path = "/openapi.json";

    public static void AddTo(Routes routes, string serviceName)
    {
        // When it is first asked for: by then all routes are there, and a start does not wait for it.
        var answer = new Lazy<Answer>(() => Make(new OpenApiDocument(routes, serviceName)));
        routes.Add(HttpMethods.Get, Path, (_, _, _, _) => ValueTask.FromResult(answer.Value));
    }

    private static Answer Make(OpenApiDocument document)
    {
        var body = Encoding.UTF8.GetBytes(document.ToJson().ToJsonString(OpenApiDocument.Text));
        return new Answer
        {
            Status = StatusCodes.Status200OK,
            Body = body,
            Tag = XxHash128.HashToUInt128(body),
        };
    }
}
