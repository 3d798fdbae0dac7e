using System.Reflection;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.AspNetCore.Mvc.ApiExplorer;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.Extensions.Options;

namespace TaskService.Http.OpenApi;

/// <summary>
/// The description of the API in OpenAPI 3.1, made of the endpoints, their metadata, and problems as they are really
/// sent.
/// </summary>
internal sealed partial class OpenApiDocument
{
    public static readonly JsonSerializerOptions Text =
        new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>
    /// An extension of the document: responses to requests that reach none of its operations. HEAD of each GET and
    /// OPTIONS of each path are among them; as operations, they would be more than half of the document.
    /// </summary>
    public const string OtherResponses = "x-responses";

    // Others cannot be said in OpenAPI 3.1.
    private static readonly HashSet<string> Methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE"];

    private readonly List<RouteEndpoint> endpoints;
    private readonly ILookup<(string?, string?), ApiDescription> explored;
    private readonly OpenApiComponents components;
    private readonly OpenApiSchemas schemas;
    private readonly OpenApiSecurity security;
    private readonly bool hasRateLimit;
    private readonly HashSet<string> ids = [];

    private OpenApiDocument(IServiceProvider services)
    {
        endpoints = [.. services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Where(one => one.Metadata.GetMetadata<IExcludeFromDescriptionMetadata>()
                is not { ExcludeFromDescription: true })];
        explored = Explore(services).ToLookup(one => (one.HttpMethod, one.RelativePath));
        components = new OpenApiComponents(endpoints
            .SelectMany(one => one.Metadata.GetOrderedMetadata<Func<DescribedComponents>>()).Distinct()
            .Select(make => make()));
        schemas = new OpenApiSchemas(
            services.GetRequiredService<IOptions<JsonOptions>>().Value.SerializerOptions, components.Schemas);
        security = new OpenApiSecurity(services);
        hasRateLimit = services.GetRequiredService<IOptions<RateLimiterOptions>>().Value.GlobalLimiter is not null;
    }

    /// <param name="services">Those of the application, whose endpoints are all mapped.</param>
    /// <param name="serviceName">The title.</param>
    public static Task<JsonObject> WriteAsync(IServiceProvider services, string serviceName) =>
        new OpenApiDocument(services).ToJsonAsync(serviceName);

    /// <summary>The descriptions by ApiExplorer, which is registered by a team, or else made here.</summary>
    private static IEnumerable<ApiDescription> Explore(IServiceProvider services)
    {
        if (services.GetService<IApiDescriptionGroupCollectionProvider>() is { } registered)
        {
            return registered.ApiDescriptionGroups.Items.SelectMany(group => group.Items);
        }
        // Here, since the start would load three assemblies to register it.
        var context = new ApiDescriptionProviderContext([]);
        foreach (var service in new ServiceCollection().AddEndpointsApiExplorer())
        {
            if (service.ServiceType == typeof(IApiDescriptionProvider))
            {
                var provider = ActivatorUtilities.CreateInstance(services, service.ImplementationType!);
                ((IApiDescriptionProvider)provider).OnProvidersExecuting(context);
            }
        }
        return context.Results;
    }

    private async Task<JsonObject> ToJsonAsync(string serviceName)
    {
        var paths = new JsonObject();
        var tags = new List<string>();
        foreach (var group in endpoints.GroupBy(one => ParameterName().Replace(TemplateOf(one.RoutePattern), "{}")))
        {
            var path = TemplateOf(group.First().RoutePattern);
            if (await PathOfAsync(path, [.. group], tags) is { Count: > 0 } operations)
            {
                paths[path] = operations;
            }
        }
        var others = Others();
        var used = components.Used(paths);
        if (security.Schemes.Count > 0)
        {
            used["securitySchemes"] = security.Schemes;
        }
        return new JsonObject
        {
            ["openapi"] = "3.1.0",
            ["info"] = Info(serviceName),
            ["servers"] = new JsonArray { new JsonObject { ["url"] = "/" } },
            // Operations that need more say so.
            ["security"] = new JsonArray(),
            ["tags"] = new JsonArray([.. tags.Distinct().Select(tag => new JsonObject
            {
                ["name"] = tag,
                ["description"] = components.Tags.GetValueOrDefault(tag, $"Endpoints of {tag}"),
            })]),
            ["paths"] = paths,
            ["components"] = used,
            [OtherResponses] = others,
        };
    }

    private static JsonObject Info(string serviceName) => new()
    {
        ["title"] = serviceName,
        ["version"] = Assembly.GetExecutingAssembly().GetName().Version!.ToString(3),
        ["description"] = "Each GET has a HEAD, with the same responses without their bodies. `OPTIONS` of a path says "
            + "which methods it has, and `OPTIONS *` those of all paths (`Options`). A path that is not listed is 404 "
            + "(`UnknownEndpoint`), and a method that a path does not have 405 (`MethodNotAllowed`). What is no HTTP "
            + "request is refused without a body (`Refused`). "
            + "A path may have one slash more at its end. Bodies may be sent with `Content-Encoding: gzip`.",
        ["contact"] = new JsonObject { ["name"] = "The TaskService authors" },
        ["license"] = new JsonObject { ["name"] = "MIT License", ["identifier"] = "MIT" },
    };

    private JsonObject Others()
    {
        var (unknown, notAllowed, options) = (Of("/nope"), Of("/"), Of("/"));
        unknown.Add([Problem.UnknownEndpoint]);
        notAllowed.Add([Problem.MethodNotAllowed]);
        notAllowed.Add(StatusCodes.Status405MethodNotAllowed, "", ["Allow"]);
        options.Add(
            StatusCodes.Status204NoContent,
            "`Allow` has the methods",
            ["Allow", .. OpenApiResponses.Shared(HttpMethods.Options, StatusCodes.Status204NoContent)]);
        return new JsonObject
        {
            ["UnknownEndpoint"] = unknown.ToJson()["404"]!.DeepClone(),
            ["MethodNotAllowed"] = notAllowed.ToJson()["405"]!.DeepClone(),
            ["Options"] = options.ToJson()["204"]!.DeepClone(),
        };

        OpenApiResponses Of(string uri) => new(components, "*", uri);
    }

    /// <summary>The pattern without constraints and defaults, which schemas of parameters say.</summary>
    private static string TemplateOf(RoutePattern pattern) => "/" + string.Join('/', pattern.PathSegments.Select(
        segment => string.Concat(segment.Parts.Select(part => part switch
        {
            RoutePatternLiteralPart literal => literal.Content,
            RoutePatternSeparatorPart separator => separator.Content,
            RoutePatternParameterPart parameter => $"{{{parameter.Name}}}",
            _ => "",
        }))));

    /// <summary>Of endpoints that differ in constraints alone, the first stands for all.</summary>
    private async Task<JsonObject> PathOfAsync(string path, List<RouteEndpoint> own, List<string> tags)
    {
        var result = new JsonObject();
        foreach (var method in EndpointMethods.Of(own))
        {
            var endpoint = own.FirstOrDefault(one => EndpointMethods.Of(one).Contains(method));
            var isHeadOfGet = method == HttpMethods.Head && result.ContainsKey("get");
            if (endpoint is null || isHeadOfGet || !Methods.Contains(method))
            {
                continue;
            }
            var route = endpoint.RoutePattern.RawText?.TrimStart('/');
            var operation = new OpenApiOperation(
                method, path, endpoint, explored[(method, route)].FirstOrDefault(), hasRateLimit);
            tags.AddRange(operation.Tags);
#pragma warning disable CA1308 // OpenAPI writes methods in lower case.
            result[method.ToLowerInvariant()] = operation.ToJson(
#pragma warning restore CA1308
                Unique(operation.Id), components, schemas, await security.RequirementsOfAsync(endpoint.Metadata));
        }
        return result;
    }

    private string Unique(string id)
    {
        var result = id;
        for (var number = 2; !ids.Add(result); number++)
        {
            result = $"{id}{number}";
        }
        return result;
    }

    [GeneratedRegex("{[^}]*}")]
    private static partial Regex ParameterName();
}
