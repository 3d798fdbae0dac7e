using TaskService.Domain;

namespace TaskService.Http;

/// <summary>Answers GET of a list.</summary>
/// <param name="service">Lists the values.</param>
/// <param name="representation">Encodes them.</param>
/// <param name="parser">Parses the query.</param>
internal sealed class ResourceList<T, TQuery>(
    EntityService<T> service, Representation<T> representation, ListQueryParser<T, TQuery> parser)
    where T : class, IContent
    where TQuery : Query<T>
{
    private readonly ListCache<T> all = new(service, representation, parser.All.Values);

    /// <param name="http">The request.</param>
    /// <param name="path">Of the list, for links to further pages.</param>
    /// <param name="cancel">Ends the reading.</param>
    /// <param name="within">Restricts the query, as to the children of one parent; null when it does not.</param>
    public async ValueTask<ApiResult> AnswerAsync(
        HttpContext http, string path, CancellationToken cancel, Func<TQuery, TQuery>? within = null)
    {
        var query = parser.Parse(http.Request.QueryString.Value ?? "", out var problem);
        if (problem is not null)
        {
            return problem;
        }
        if (within is null && ReferenceEquals(query, parser.All) && await all.FindAsync(cancel) is { } known)
        {
            return known;
        }
        var values = within is null ? query.Values : within(query.Values);
        var body = await ListBody<T>.BeginAsync(service, representation, values, query.Limit, cancel);
        http.Response.RegisterForDisposeAsync(body);
        return new ApiResult
        {
            Status = StatusCodes.Status200OK,
            Body = body.Whole,
            Stream = body.Whole.IsEmpty ? body : null,
            Tag = body.Tag,
            Link = body.LastIdOfPage is { } last ? query.NextLink(path, last) : null,
        };
    }
}
