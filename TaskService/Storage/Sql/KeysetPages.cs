using System.Runtime.CompilerServices;
using TaskService.Domain;

namespace TaskService.Storage.Sql;

/// <param name="Items">May be fewer than were asked for, or none, since what breaks a rule is passed over.</param>
/// <param name="Last">The id that the page ends with, as the table has it.</param>
/// <param name="IsLast">Whether there is nothing behind it.</param>
/// <param name="Characters">Of the texts of its items, where they may be long.</param>
internal readonly record struct KeysetPage<T>(IReadOnlyList<T> Items, string Last, bool IsLast, long Characters = 0);

/// <summary>
/// Goes through a table in the order of ids, a page at a time, each behind the id that the last one ended with. Between
/// two pages nothing is held: no connection, no transaction, however slow the reader is.
/// </summary>
internal static class KeysetPages
{
    /// <summary>
    /// Of the texts of a page, 1 MiB, where it ends: a list takes no more memory, however long the descriptions are.
    /// </summary>
    public const int CharactersMax = 512 * 1024;

    // Most who ask for a few take one page; who goes on gets longer ones.
    private const int FirstItems = 32;
    private const int ItemsMax = 1_000;

    /// <summary>The characters of what takes much memory in a task.</summary>
    public static int CharactersOf(TaskEntry entry) => entry.Title.Length + (entry.Description?.Length ?? 0);

    /// <param name="start">The id before the first one.</param>
    /// <param name="read">Reads so many items, at most, behind an id.</param>
    /// <param name="cancel">Between two pages, and whatever <paramref name="read"/> makes of it.</param>
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
            // As many as fit, if they are like those of this page: what does not fit is read in vain.
            var fit = page.Characters == 0 ? ItemsMax : page.Items.Count * (long)CharactersMax / page.Characters;
            (last, items) = (page.Last, (int)Math.Clamp(fit, 1, Math.Min(items * 4, ItemsMax)));
        }
    }
}
