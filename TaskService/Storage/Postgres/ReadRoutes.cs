using System.Text.RegularExpressions;
using TaskService.Domain;

namespace TaskService.Storage.Postgres;

/// <summary>Routing of reads to a replica: requests that change nothing, unless a pattern decides otherwise.</summary>
/// <param name="primary">Patterns for the whole of <c>VERB /path</c>; these take precedence.</param>
/// <param name="replica">Patterns of requests that read from a replica although they change something.</param>
internal sealed class ReadRoutes(IReadOnlyList<Regex> primary, IReadOnlyList<Regex> replica)
{
    /// <param name="request">Null outside of requests.</param>
    public bool UsesReplica(StoreRequest? request) =>
        request is { MustBeCurrent: false }
        && !primary.Any(pattern => pattern.IsMatch(request.Key))
        && (request.IsRead || replica.Any(pattern => pattern.IsMatch(request.Key)));
}
