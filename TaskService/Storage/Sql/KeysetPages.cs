using System.Runtime.CompilerServices;

namespace TaskService.Storage.Sql;

/// <param name="Items">May be fewer than requested, or none, since invalid rows are skipped.</param>
/// <param name="Last">The id of the last row of the page, as it stands in the table.</param>
/// <param name="IsLast">Whether no page follows.</param>
/// <param name="Characters">Total length of the texts of its items, where they may be long.</param>
internal readonly record struct KeysetPage<T>(IReadOnlyList<T> Items, string Last, bool IsLast, long Characters = 0);

/// <summary>
/// Keyset pagination: streams a table in id order, a page at a time, each behind the last id of the page before.
/// Between two pages no connection and no transaction is held, however slow the consumer is.
/// </summary>
internal static class KeysetPages
{
    /// <summary>
    /// Text of a page, 1 MiB, after which it ends: this bounds the memory of a list, however long the texts are.
    /// </summary>
    public const int CharactersMax = 512 * 1024;

    // A short list needs one small page; the pages of a longer one grow.
    private const int FirstItems = 32;
    private const int ItemsMax = 1_000;

    /// <summary>Above every id: the start of a descending list.</summary>
    public const string AboveAllIds = "~";

    /// <param name="start">The list begins behind this id.</param>
    /// <param name="read">Reads a page of at most so many items behind an id.</param>
    /// <param name="cancel">Passed on to <paramref name="read"/>.</param>
    public static async IAsyncEnumerable<T> StreamAsync<T>(
        string start,
        Func<string, int, CancellationToken, ValueTask<KeysetPage<T>>> read,
        [EnumeratorCancellation] CancellationToken cancel)
    {
        var (last, items) = (start, FirstItems);
        while (true)
        {
            var page = await read(last, items, cancel);
            foreach (var item in page.Items)
            {
                yield return item;
            }
            if (page.IsLast)
            {
                yield break;
            }
            // As many as fit, if they are like those of this page: rows beyond the limit would be read for nothing.
            var fit = page.Characters == 0 ? ItemsMax : page.Items.Count * (long)CharactersMax / page.Characters;
            (last, items) = (page.Last, (int)Math.Clamp(fit, 1, Math.Min(items * 4, ItemsMax)));
        }
    }
}
