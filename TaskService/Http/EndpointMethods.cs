using Microsoft.AspNetCore.Http.Metadata;

namespace TaskService.Http;

/// <summary>The methods and the route of endpoints, and the responses that follow from them.</summary>
internal static class EndpointMethods
{
    private static readonly string[] UsualOrder = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

    /// <summary>Those that the endpoint declares; empty when it takes any.</summary>
    public static IReadOnlyList<string> Of(Endpoint endpoint) =>
        endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods ?? [];

    /// <summary>Whether the endpoint declares this method, in this case.</summary>
    public static bool Has(Endpoint endpoint, string method) => Of(endpoint).Contains(method);

    /// <summary>Those of all, HEAD of each GET and OPTIONS included, in their usual order.</summary>
    public static List<string> Of(IReadOnlyList<Endpoint> endpoints)
    {
        var all = new List<string>(UsualOrder);
        foreach (var endpoint in endpoints)
        {
            foreach (var method in Of(endpoint))
            {
                if (!all.Contains(method) && !HttpMethods.IsOptions(method))
                {
                    all.Add(method);
                }
            }
        }
        all.RemoveAll(method => !IsAmong(endpoints, HttpMethods.IsHead(method) ? HttpMethods.Get : method)
            && !IsAmong(endpoints, method));
        all.Add(HttpMethods.Options);
        return all;
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

    private static bool IsAmong(IReadOnlyList<Endpoint> endpoints, string method)
    {
        foreach (var endpoint in endpoints)
        {
            if (Has(endpoint, method))
            {
                return true;
            }
        }
        return false;
    }
}
