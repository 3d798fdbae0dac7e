using System.Buffers;
using TaskService.Domain;

namespace TaskService.Http;

/// <summary>
/// Caches the result of a request for all values of a type until one changes. The list is cached at the second request
/// for the same revision, so that one that changes between requests costs nothing more. Engines without a revision have
/// no cache.
/// </summary>
internal sealed class ListCache<T>(EntityService<T> service, Representation<T> representation, Query<T> all)
    where T : class, IContent
{
    /// <summary>A list that is larger is made anew each time.</summary>
    public const int BodyBytesMax = 1024 * 1024;

    private volatile Kept? last;

    /// <returns>Null when there is none, and it is to be made as ever.</returns>
    public async ValueTask<ApiResult?> FindAsync(CancellationToken cancel)
    {
        if (service.Revision is not { } revision)
        {
            return null;
        }
        var kept = last;
        if (kept?.Revision != revision)
        {
            last = new Kept(revision, null);
            return null;
        }
        return kept.IsTooLarge ? null : kept.List ?? await MakeAsync(revision, cancel);
    }

    private async ValueTask<ApiResult?> MakeAsync(long revision, CancellationToken cancel)
    {
        await using var body = await ListBody<T>.BeginAsync(service, representation, all, limit: null, cancel);
        var whole = new ArrayBufferWriter<byte>();
        do
        {
            await body.WriteAsync(whole);
            if (whole.WrittenCount > BodyBytesMax)
            {
                last = new Kept(revision, null) { IsTooLarge = true };
                return null;
            }
        }
        while (!body.IsWritten);
        var result = new ApiResult
        {
            Status = StatusCodes.Status200OK,
            Body = whole.WrittenMemory,
            // As without a cache: what is sent in pieces has none.
            Tag = body.Tag,
        };
        if (service.Revision == revision)
        {
            last = new Kept(revision, result);
        }
        return result;
    }

    private sealed record Kept(long Revision, ApiResult? List)
    {
        public bool IsTooLarge { get; init; }
    }
}
