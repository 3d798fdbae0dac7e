using TaskService.Domain;

namespace TaskService.Api;

/// <summary>
/// Lets a client read what it has written although reads go to a replica, which may be behind: the answer of a change
/// says where the storage was, and a read that sends that back sees the change. Services that do this use a header of
/// the same name both ways, so that a client has nothing to understand.
/// </summary>
internal static class ReadAfter
{
    public const string Header = "X-Read-After";

    /// <summary>Answers as this endpoint does, and tells the storage which request it works for.</summary>
    public static Endpoint Around(Endpoint endpoint) => async (http, target, id, cancel) =>
    {
        var method = http.Request.Method;
        var request = new StoreRequest(
            $"{method} {target.Path}",
            HttpMethods.IsGet(method) || HttpMethods.IsHead(method),
            http.Request.Headers[Header] is [{ } position, ..] ? position : null);
        StoreRequest.Current = request;
        var answer = await endpoint(http, target, id, cancel);
        // A refusal has changed nothing, whatever was looked at for it.
        if (request.Position is { } written && answer.Status < StatusCodes.Status400BadRequest)
        {
            http.Response.Headers[Header] = written;
        }
        return answer;
    };
}
