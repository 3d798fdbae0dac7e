using System.Text.RegularExpressions;
using TaskService.Domain;

namespace TaskService.Storage.Postgres;

/// <summary>Which requests read from a replica: those that change nothing, unless a pattern says otherwise.</summary>
/// <param name="primary">Of <c>VERB /path</c>, the whole of it; these win.</param>
/// <param name="replica">Of requests that read from a replica though they change something.</param>
internal sealed class ReadRoutes(IReadOnlyList<Regex> primary, IReadOnlyList<Regex> replica)
{
    /// <param name="request">Null for what no request has asked for.</param>
    public bool UsesReplica(StoreRequest? request) =>
        request is { MustBeCurrent: false }
        && !primary.Any(pattern => pattern.IsMatch(request.Key))
        && (request.IsRead || replica.Any(pattern => pattern.IsMatch(request.Key)));
}
