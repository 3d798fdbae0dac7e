using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Mvc.ApiExplorer;
using Microsoft.AspNetCore.Mvc.ModelBinding;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.AspNetCore.WebUtilities;

namespace TaskService.Http.OpenApi;

/// <summary>One method of one path, from the metadata of its endpoint and what ApiExplorer makes of it.</summary>
/// <param name="method">Upper case.</param>
/// <param name="path">With names of parameters, such as <c>/orders/{id}</c>.</param>
/// <param name="endpoint">Its metadata may have an <see cref="EndpointDescription"/>.</param>
/// <param name="explored">Null for a handler that takes an HttpContext and no more.</param>
/// <param name="hasRateLimit">Whether the service limits the rate of all requests.</param>
internal sealed class OpenApiOperation(
    string method, string path, RouteEndpoint endpoint, ApiDescription? explored, bool hasRateLimit)
{
    private const string Json = "application/json";

    private readonly EndpointMetadataCollection metadata = endpoint.Metadata;

    private readonly EndpointDescription words =
        endpoint.Metadata.GetMetadata<Func<EndpointDescription>>()?.Invoke() ?? new EndpointDescription();

    private readonly IReadOnlyList<ApiParameterDescription> bound =
        explored is null ? [] : [.. explored.ParameterDescriptions];

    /// <summary>Whether its responses are those of <see cref="ResultWriter"/>.</summary>
    private bool IsApiResult => metadata.GetMetadata<ApiResult.ResultMarker>() is not null;

    private bool IsRateLimited => hasRateLimit && metadata.GetMetadata<Unlimited>() is null;

    /// <summary>Those of the metadata, or else the first segment of the path.</summary>
    public IReadOnlyList<string> Tags => metadata.GetMetadata<ITagsMetadata>()?.Tags is { Count: > 0 } tags
        ? tags
        : [path.Split('/', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault(part => part[0] != '{') ?? "root"];

    /// <summary>The name of the endpoint, or else one made of method and path.</summary>
    public string Id => metadata.GetMetadata<IEndpointNameMetadata>()?.EndpointName
        ?? Capital(method).ToLowerInvariant() + string.Concat(
            path.Split('/', '-', '.', '_').Where(part => part.Length > 0).Select(part => part[0] == '{'
                ? $"By{Capital(part.Trim('{', '}'))}" : Capital(part)));

    /// <param name="id">Unique in the document.</param>
    /// <param name="components">Gets the parts that the operation names.</param>
    /// <param name="schemas">Gets the types of the endpoint.</param>
    /// <param name="security">Of the endpoint; null when it is open to all.</param>
    public JsonObject ToJson(string id, OpenApiComponents components, OpenApiSchemas schemas, JsonArray? security)
    {
        var summary = metadata.GetMetadata<IEndpointSummaryMetadata>()?.Summary ?? $"{method} {path}";
        var result = new JsonObject
        {
            ["tags"] = new JsonArray([.. Tags.Select(tag => (JsonNode)tag)]),
            ["summary"] = summary,
            ["operationId"] = id,
            ["description"] = metadata.GetMetadata<IEndpointDescriptionMetadata>()?.Description ?? summary,
        };
        if (metadata.GetMetadata<ObsoleteAttribute>() is not null)
        {
            result["deprecated"] = true;
        }
        var parameters = Parameters(components, schemas);
        result["parameters"] = parameters;
        if (Body(components, schemas) is { } body)
        {
            result["requestBody"] = body;
        }
        var uri = path;
        foreach (var parameter in parameters.Select(one => Resolve(one!, components)))
        {
            uri = uri.Replace($"{{{parameter["name"]}}}", $"{parameter["example"] ?? "1"}", StringComparison.Ordinal);
        }
        result["responses"] = Responses(new OpenApiResponses(components, method, uri), components, schemas, security);
        if (security is not null)
        {
            result["security"] = security;
        }
        return result;
    }

    private static JsonNode Resolve(JsonNode parameter, OpenApiComponents components) =>
        (string?)parameter["$ref"] is { } to ? components.Parameter(to.Split('/')[^1]) : parameter;

    private static string Capital(string text) => text.Length == 0 ? "" : char.ToUpperInvariant(text[0]) + text[1..];

    private JsonArray Parameters(OpenApiComponents components, OpenApiSchemas schemas)
    {
        var result = new JsonArray();
        var known = new HashSet<(string, string)>();
        foreach (var name in words.Parameters.Append(RequestIds.Header))
        {
            var parameter = components.Parameter(name);
            known.Add(((string)parameter["in"]!, (string)parameter["name"]!));
            result.Add((JsonNode)OpenApiComponents.Reference("parameters", name));
        }
        var inPath = endpoint.RoutePattern.Parameters.Zip(NamesIn(path)).ToDictionary(
            pair => pair.First.Name, pair => (pair.Second, pair.First), StringComparer.OrdinalIgnoreCase);
        foreach (var (own, (name, part)) in inPath)
        {
            if (!known.Contains(("path", name)))
            {
                result.Add((JsonNode)InPath(name, part, bound.FirstOrDefault(one =>
                    one.Source == BindingSource.Path && one.Name.Equals(own, StringComparison.OrdinalIgnoreCase))));
            }
        }
        foreach (var one in bound)
        {
            var place = one.Source == BindingSource.Query ? "query"
                : one.Source == BindingSource.Header ? "header" : "";
            if (place.Length > 0 && known.Add((place, one.Name)))
            {
                result.Add((JsonNode)Bound(place, one, schemas));
            }
        }
        return result;

        JsonObject InPath(string name, RoutePatternParameterPart part, ApiParameterDescription? handled)
        {
            var schema = handled?.Type is { } type ? schemas.OfText(type) : new JsonObject { ["type"] = "string" };
            foreach (var policy in part.ParameterPolicies)
            {
                OpenApiSchemas.Constrain(schema, policy.Content ?? "");
            }
            return new JsonObject { ["name"] = name, ["in"] = "path", ["required"] = true, ["schema"] = schema };
        }
    }

    private static IEnumerable<string> NamesIn(string path) =>
        path.Split('{').Skip(1).Select(part => part.Split('}')[0]);

    private static JsonObject Bound(string place, ApiParameterDescription one, OpenApiSchemas schemas)
    {
        var schema = schemas.OfText(one.Type ?? typeof(string));
        if (one.DefaultValue is { } value and not DBNull)
        {
            schema["default"] = schemas.Value(value);
        }
        return new JsonObject
        {
            ["name"] = one.Name,
            ["in"] = place,
            ["required"] = one.IsRequired,
            ["schema"] = schema,
        };
    }

    private JsonObject? Body(OpenApiComponents components, OpenApiSchemas schemas)
    {
        var content = new JsonObject();
        foreach (var (mediaType, schema) in words.Bodies)
        {
            content[mediaType] = components.Content(schema, isRequest: true);
        }
        var isRequired = content.Count > 0;
        var types = explored?.SupportedRequestFormats.Select(format => format.MediaType).ToList() ?? [];
        // As the endpoint says it, which reads a stream, maybe.
        var accepted = metadata.GetMetadata<IAcceptsMetadata>()?.RequestType;
        var fields = bound.Where(IsField).ToList();
        foreach (var one in bound.Where(one => one.Source == BindingSource.Body).Take(content.Count == 0 ? 1 : 0))
        {
            isRequired = one.IsRequired;
            foreach (var mediaType in types.DefaultIfEmpty(Json))
            {
                content[mediaType] = new JsonObject { ["schema"] = schemas.Of(accepted ?? one.Type ?? typeof(object)) };
            }
        }
        if (fields.Count > 0 && content.Count == 0)
        {
            isRequired = fields.Any(field => field.IsRequired);
            foreach (var mediaType in types.DefaultIfEmpty("multipart/form-data"))
            {
                content[mediaType] = new JsonObject { ["schema"] = Form(fields, schemas) };
            }
        }
        return content.Count == 0 ? null : new JsonObject { ["required"] = isRequired, ["content"] = content };
    }

    private static bool IsField(ApiParameterDescription one) =>
        one.Source == BindingSource.Form || one.Source == BindingSource.FormFile;

    private static JsonObject Form(List<ApiParameterDescription> fields, OpenApiSchemas schemas)
    {
        var properties = new JsonObject();
        foreach (var field in fields)
        {
            properties[field.Name] = schemas.OfText(field.Type ?? typeof(string));
        }
        var required = fields.Where(field => field.IsRequired).Select(field => (JsonNode)field.Name);
        return new JsonObject
        {
            ["type"] = "object",
            ["properties"] = properties,
            ["required"] = new JsonArray([.. required]),
        };
    }

    private JsonObject Responses(
        OpenApiResponses responses, OpenApiComponents components, OpenApiSchemas schemas, JsonArray? security)
    {
        foreach (var one in words.Responses)
        {
            var isProblem = one.Description.Length == 0;
            var own = isProblem ? one.Headers : [.. one.Headers, .. CommonHeaders(one.Status)];
            if (one.Schema is null)
            {
                responses.Add(one.Status, one.Description, own);
            }
            else
            {
                var content = components.Content(one.Schema, isRequest: false);
                responses.Add(one.Status, one.Description, own, (Json, content));
            }
        }
        var said = metadata.GetOrderedMetadata<IProducesResponseTypeMetadata>();
        List<ApiResponseType> types = said.Count == 0 && words.Responses.Count > 0 ? []
            : [.. explored?.SupportedResponseTypes ?? said.Select(OfMetadata)];
        foreach (var one in types)
        {
            Add(responses, schemas, one);
        }
        if (types.Count == 0 && words.Responses.Count == 0)
        {
            responses.Add(StatusCodes.Status200OK, "OK", CommonHeaders(StatusCodes.Status200OK));
        }
        responses.Add(OfPipeline(isOpen: security is null));
        responses.Add(words.Problems);
        if (security is not null)
        {
            responses.Add(StatusCodes.Status401Unauthorized, "", ["WWW-Authenticate"]);
        }
        if (IsRateLimited)
        {
            responses.Add(StatusCodes.Status429TooManyRequests, "", ["Retry-After"]);
        }
        return responses.ToJson();
    }

    private static ApiResponseType OfMetadata(IProducesResponseTypeMetadata one) => new()
    {
        StatusCode = one.StatusCode,
        Type = one.Type,
        Description = one.Description,
        ApiResponseFormats = [.. one.ContentTypes.Select(type => new ApiResponseFormat { MediaType = type })],
    };

    private void Add(OpenApiResponses responses, OpenApiSchemas schemas, ApiResponseType one)
    {
        var text = one.Description ?? ReasonPhrases.GetReasonPhrase(one.StatusCode);
        var hasBody = one.Type is { } type && type != typeof(void) && !typeof(IResult).IsAssignableFrom(type);
        if (!hasBody && one.StatusCode >= StatusCodes.Status400BadRequest)
        {
            // The pipeline writes a body where an endpoint has set only the status.
            responses.Add([new Problem(one.StatusCode, text)]);
            return;
        }
        var mediaTypes = one.ApiResponseFormats.Select(format => format.MediaType).DefaultIfEmpty(Json);
        responses.Add(one.StatusCode, text, CommonHeaders(one.StatusCode), hasBody
            ? mediaTypes.Select(media => (media, new JsonObject { ["schema"] = schemas.Of(one.Type!) }))
            : []);
    }

    private IEnumerable<string> CommonHeaders(int status)
    {
        if (!IsApiResult)
        {
            return [RequestIds.Header];
        }
        var isCoded = method == HttpMethods.Get && status == StatusCodes.Status200OK;
        return [.. OpenApiResponses.Shared(method, status), .. isCoded ? ["Content-Encoding"] : Array.Empty<string>()];
    }

    /// <summary>What the pipeline and the framework may send instead of the endpoint.</summary>
    private IEnumerable<Problem> OfPipeline(bool isOpen)
    {
        yield return Problem.Unexpected;
        if (metadata.GetMetadata<Unlimited>() is null)
        {
            yield return Problem.Overloaded;
            yield return Problem.TimedOut;
        }
        if (IsApiResult && method == HttpMethods.Get)
        {
            yield return Problem.NotAcceptable;
            yield return Problem.From(Domain.ErrorKind.VersionMismatch);
        }
        var isRead = bound.Any(one => one.Source == BindingSource.Body || IsField(one));
        var isBound = isRead || bound.Any(one => one.Source == BindingSource.Path
            ? one.Type != typeof(string) : one.IsRequired || one.Type != typeof(string));
        int[] statuses =
        [
            .. isOpen ? Array.Empty<int>() : [StatusCodes.Status401Unauthorized, StatusCodes.Status403Forbidden],
            // A value that the framework cannot bind.
            .. isBound ? [StatusCodes.Status400BadRequest] : Array.Empty<int>(),
            .. isRead
                ? [
                    StatusCodes.Status408RequestTimeout, StatusCodes.Status413PayloadTooLarge,
                    StatusCodes.Status415UnsupportedMediaType,
                ]
                : Array.Empty<int>(),
            .. IsRateLimited || metadata.GetMetadata<EnableRateLimitingAttribute>() is not null
                ? [StatusCodes.Status429TooManyRequests] : Array.Empty<int>(),
        ];
        foreach (var status in statuses)
        {
            yield return new Problem(status, ReasonPhrases.GetReasonPhrase(status));
        }
    }
}
