using Microsoft.AspNetCore.Http.Metadata;

namespace TaskService.Http;

/// <summary>The methods and the route of endpoints, and the responses that follow from them.</summary>
internal static class EndpointMethods
{
    private static readonly string[] UsualOrder = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

    /// <summary>Those that the endpoint declares; empty when it takes any.</summary>
    public static IReadOnlyList<string> Of(Endpoint endpoint) =>
        endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods ?? [];

    /// <summary>Those of all, HEAD of each GET and OPTIONS included, in their usual order.</summary>
    public static IReadOnlyList<string> Of(IEnumerable<Endpoint> endpoints)
    {
        var declared = endpoints.SelectMany(Of).ToHashSet(StringComparer.Ordinal);
        if (declared.Contains(HttpMethods.Get))
        {
            declared.Add(HttpMethods.Head);
        }
        declared.Remove(HttpMethods.Options);
        return
        [
            .. UsualOrder.Where(declared.Contains),
            .. declared.Except(UsualOrder).Order(StringComparer.Ordinal),
            HttpMethods.Options,
        ];
    }

    /// <summary>The pattern as it stands in lines, metrics and documents, without a slash at its end.</summary>
    public static string RouteOf(RouteEndpoint endpoint)
    {
        var text = endpoint.Metadata.GetMetadata<IRouteDiagnosticsMetadata>()?.Route
            ?? endpoint.RoutePattern.RawText ?? "";
        return text is [_, .., '/'] ? text[..^1] : text;
    }

    /// <summary>OPTIONS of the server as a whole (RFC 9110 section 9.3.7): what any of its resources allows.</summary>
    public static Task AnswerServerAsync(HttpContext http, EndpointDataSource endpoints) =>
        AnswerAsync(http, string.Join(", ", Of(endpoints.Endpoints).Order(StringComparer.Ordinal)));

    /// <summary>OPTIONS, or a method that the path does not have.</summary>
    public static Task AnswerAsync(HttpContext http, string allow)
    {
        http.Response.Headers.Allow = allow;
        return HttpMethods.IsOptions(http.Request.Method)
            ? ResultWriter.ExecuteAsync(http, ApiResult.NoContent)
            : ResultWriter.WriteProblemAsync(http, Problem.MethodNotAllowed);
    }
}
