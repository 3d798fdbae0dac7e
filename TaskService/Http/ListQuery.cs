using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.WebUtilities;
using TaskService.Domain;

namespace TaskService.Http;

/// <summary>The query of a list: <c>limit</c>, <c>after</c> and filters.</summary>
/// <param name="Values">Which values.</param>
/// <param name="Limit">How many at most; null for all.</param>
/// <param name="Filters">The filters as they were sent, for links to further pages.</param>
internal sealed record ListQuery<TQuery>(TQuery Values, int? Limit, string Filters)
{
    /// <summary>
    /// The value of a <c>Link</c> header to the page after this value (RFC 8288), with the same filters.
    /// </summary>
    /// <param name="path">Of the list.</param>
    /// <param name="lastId">The last one of this page.</param>
    public string NextLink(string path, string lastId) =>
        $"<{path}?limit={Limit}&after={lastId}{Filters}>; rel=\"next\"";
}

internal static class ListQuery
{
    /// <summary>The maximum page size; a larger limit is reduced to this.</summary>
    public const int LimitItemsMax = 10_000;
}

/// <summary>Parses the query of a list. Unknown parameters are ignored; a known one may be given once, and must be
/// valid.</summary>
/// <param name="all">Restricts nothing.</param>
/// <param name="filters">Further parameters, in the order of links.</param>
internal sealed class ListQueryParser<T, TQuery>(TQuery all, params ListFilter<TQuery>[] filters)
    where T : class, IContent
    where TQuery : Query<T>
{
    /// <summary>All values, on one page.</summary>
    public ListQuery<TQuery> All { get; } = new(all, null, "");

    /// <param name="text">Empty, or with its question mark.</param>
    /// <param name="problem">What is wrong; null when nothing is.</param>
    public ListQuery<TQuery> Parse(string text, out Problem? problem)
    {
        problem = null;
        if (text.Length == 0)
        {
            return All;
        }
        var given = new Dictionary<string, string>(StringComparer.Ordinal);
        var (values, limit) = (all, (int?)null);
        foreach (var pair in new QueryStringEnumerable(text))
        {
            var (name, value) = (pair.DecodeName().ToString(), pair.DecodeValue().ToString());
            var filter = Array.Find(filters, filter => filter.Name == name);
            if (problem is not null || !(filter is not null || name is "limit" or "after"))
            {
                continue;
            }
            var rule = !given.TryAdd(name, value) ? "is repeated" : name switch
            {
                "limit" => (limit = ParseLimit(value)) is null ? "must be a whole number from 1" : null,
                "after" => TrySetAfter(value, ref values) ? null : "must be an id",
                _ => filter!.TrySet(value, ref values) ? null : filter.Rule,
            };
            problem = rule is null ? null : Problem.InvalidQuery($"{name} {rule}");
        }
        return new ListQuery<TQuery>(values, limit, LinkTo(given));
    }

    private string LinkTo(Dictionary<string, string> given)
    {
        var link = new StringBuilder();
        foreach (var filter in filters)
        {
            if (given.TryGetValue(filter.Name, out var value))
            {
                link.Append('&').Append(filter.Name).Append('=').Append(Uri.EscapeDataString(value));
            }
        }
        return link.ToString();
    }

    private static bool TrySetAfter(string value, ref TQuery query)
    {
        query = (TQuery)((Query<T>)query with { After = value });
        return IdGenerator.IsValid(value);
    }

    /// <returns>Null when it is none; a larger one is reduced to the maximum.</returns>
    private static int? ParseLimit(string text) =>
        text.Length == 0 || !text.All(char.IsAsciiDigit) || text.All(digit => digit == '0') ? null
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var limit)
            ? Math.Min(limit, ListQuery.LimitItemsMax) : ListQuery.LimitItemsMax;
}

/// <summary>A parameter that restricts a list.</summary>
/// <param name="Name">As clients send it.</param>
/// <param name="Rule">What it must be, in words that follow its name.</param>
/// <param name="With">The query with this value; null when the value breaks the rule.</param>
internal sealed record ListFilter<TQuery>(string Name, string Rule, Func<TQuery, string, TQuery?> With)
    where TQuery : class
{
    public bool TrySet(string value, ref TQuery query)
    {
        if (With(query, value) is not { } restricted)
        {
            return false;
        }
        query = restricted;
        return true;
    }
}

/// <summary>Filters by the types of their values.</summary>
internal static class ListFilter
{
    private const NumberStyles Number =
        NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;

    public static ListFilter<TQuery> Flag<TQuery>(string name, Func<TQuery, bool, TQuery> with)
        where TQuery : class => new(name, "must be true or false", (query, text) => text switch
        {
            "true" => with(query, true),
            "false" => with(query, false),
            _ => null,
        });

    /// <summary>A time in Unix seconds; one that is out of range is clamped to the nearest one.</summary>
    public static ListFilter<TQuery> Time<TQuery>(string name, Func<TQuery, DateTimeOffset, TQuery> with)
        where TQuery : class => new(name, "must be Unix seconds", (query, text) =>
            double.TryParse(text, Number, CultureInfo.InvariantCulture, out var seconds) && double.IsFinite(seconds)
                ? with(query, UnixSeconds.ToBound(seconds)) : null);
}
