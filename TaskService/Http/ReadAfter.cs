using TaskService.Domain;

namespace TaskService.Http;

/// <summary>
/// Lets a client read what it has written although reads go to a replica, which may be behind: the response to a change
/// has the position of the storage, and a read that sends it back sees the change. Services that do this use a header
/// of the same name both ways, so that a client has nothing to understand.
/// </summary>
internal sealed class ReadAfter : IEndpointFilter
{
    public const string Header = "X-Read-After";

    /// <summary>Says to the storage which request it works for.</summary>
    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        var method = http.Request.Method;
        var request = new StoreRequest(
            $"{method} {http.Request.Path.Value}",
            HttpMethods.IsGet(method) || HttpMethods.IsHead(method),
            http.Request.Headers[Header] is [{ } position, ..] ? position : null);
        StoreRequest.Current = request;
        var result = await next(context);
        // A refusal has changed nothing, whatever was looked at for it.
        if (request.Position is { } written && result is ApiResult { Status: < StatusCodes.Status400BadRequest })
        {
            http.Response.Headers[Header] = written;
        }
        return result;
    }
}
