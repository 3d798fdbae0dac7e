using System.Buffers;
using System.IO.Hashing;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace TaskService.Http;

/// <summary>The links of the service at its root, for someone who has nothing but its address.</summary>
internal static class ServiceIndex
{
    public static void MapIndex(this WebApplication app, string serviceName)
    {
        // Made at the first request: by then all endpoints are there.
        var result = new Lazy<ApiResult>(() => Make(app.Services, serviceName));
        app.MapGet("/", () => result.Value)
            .WithName("index").WithSummary("Links").WithTags("document").AllowAnonymous()
            .WithDescription("The paths of the service that need no parameters, by the names of their endpoints.")
            .DescribeComponents(() => new()
            {
                Schemas = new JsonObject
                {
                    ["Index"] = JsonNode.Parse("""
                        {
                          "type": "object",
                          "properties": {
                            "service": { "type": "string" },
                            "version": { "type": "string" },
                            "links": { "type": "object", "additionalProperties": { "type": "string" } }
                          },
                          "required": ["service", "version", "links"],
                          "additionalProperties": false
                        }
                        """),
                },
                Examples = new Dictionary<string, string>
                {
                    ["Index"] = """{"service":"TodoList","version":"0.1.0","links":{"openApi":"/openapi.json"}}""",
                },
            })
            .Describe(() => new()
            {
                Parameters = ["If-None-Match", "If-Match"],
                Responses =
                [
                    new(200, "The links", ["ETag"], "Index"),
                    new(304, "The client has them already", ["ETag"]),
                ],
            });
    }

    private static ApiResult Make(IServiceProvider services, string serviceName)
    {
        var body = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(body, StrictJson.WriterOptions))
        {
            json.WriteStartObject();
            json.WriteString("service", serviceName);
            json.WriteString("version", Assembly.GetExecutingAssembly().GetName().Version!.ToString(3));
            json.WriteStartObject("links");
            var endpoints = services.GetRequiredService<EndpointDataSource>().Endpoints;
            foreach (var endpoint in endpoints.OfType<RouteEndpoint>())
            {
                if (endpoint.RoutePattern.Parameters.Count == 0
                    && EndpointMethods.Has(endpoint, HttpMethods.Get)
                    && endpoint.Metadata.GetMetadata<OnPort>() != OnPort.Own
                    && endpoint.Metadata.GetMetadata<IEndpointNameMetadata>() is { } name)
                {
                    json.WriteString(name.EndpointName, EndpointMethods.RouteOf(endpoint));
                }
            }
            json.WriteEndObject();
            json.WriteEndObject();
        }
        return new ApiResult
        {
            Status = StatusCodes.Status200OK,
            Body = body.WrittenMemory,
            Tag = Preconditions.TagOf(XxHash128.HashToUInt128(body.WrittenSpan)),
        };
    }
}
