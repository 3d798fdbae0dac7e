using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.WebUtilities;
using TaskService.Domain;
using TaskService.Http;

namespace TaskService.Tasks;

/// <summary>
/// The query of a list: <c>limit</c>, <c>after</c>, <c>completed</c>, <c>priority</c>, <c>due_before</c>. Unknown
/// parameters are ignored; a known one may be given once, and must be valid.
/// </summary>
/// <param name="Tasks">Which tasks.</param>
/// <param name="Limit">How many at most; null for all.</param>
/// <param name="DueBefore">As it was sent.</param>
internal sealed record TaskListQuery(TaskQuery Tasks, int? Limit, string? DueBefore)
{
    /// <summary>A larger limit is reduced to this.</summary>
    public const int LimitItemsMax = TaskQuery.LimitItemsMax;

    /// <summary>All tasks, on one page.</summary>
    public static readonly TaskListQuery All = new(TaskQuery.All, null, null);

    private const NumberStyles Number =
        NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;

    private static readonly string[] Known = ["limit", "after", "completed", "priority", "due_before"];

    /// <param name="text">Empty, or with its question mark.</param>
    /// <param name="problem">What is wrong; null when nothing is.</param>
    public static TaskListQuery Parse(string text, out Problem? problem)
    {
        problem = null;
        var query = All;
        if (text.Length == 0)
        {
            return query;
        }
        var seen = new HashSet<string>();
        foreach (var pair in new QueryStringEnumerable(text))
        {
            var (name, value) = (pair.DecodeName().ToString(), pair.DecodeValue().ToString());
            if (Known.Contains(name))
            {
                problem ??= seen.Add(name)
                    ? query.TrySet(name, value, out query)
                    : Problem.InvalidQuery($"{name} is repeated");
            }
        }
        return query;
    }

    /// <summary>
    /// The value of a <c>Link</c> header to the page after this task (RFC 8288), with the same filters.
    /// </summary>
    public string NextLink(string lastId)
    {
        var link = new StringBuilder($"</tasks?limit={Limit}&after={lastId}");
        if (Tasks.Completed is { } completed)
        {
            link.Append(completed ? "&completed=true" : "&completed=false");
        }
        if (Tasks.Priority is { } priority)
        {
            link.Append("&priority=").Append(TaskJson.NameOf(priority));
        }
        if (DueBefore is not null)
        {
            link.Append("&due_before=").Append(Uri.EscapeDataString(DueBefore));
        }
        return link.Append(">; rel=\"next\"").ToString();
    }

    /// <returns>What is wrong with the value; null when nothing is.</returns>
    private Problem? TrySet(string name, string value, out TaskListQuery query)
    {
        query = name switch
        {
            "limit" => this with { Limit = ParseLimit(value) },
            "after" => this with { Tasks = Tasks with { After = IdGenerator.IsValid(value) ? value : null } },
            "completed" => this with { Tasks = Tasks with { Completed = ParseFlag(value) } },
            "priority" => this with { Tasks = Tasks with { Priority = TaskJson.ParsePriority(value) } },
            _ => this with { Tasks = Tasks with { DueBefore = ParseTime(value) }, DueBefore = value },
        };
        return name switch
        {
            "limit" when query.Limit is null => Problem.InvalidQuery("limit must be a whole number from 1"),
            "after" when query.Tasks.After is null => Problem.InvalidQuery("after must be an id"),
            "completed" when query.Tasks.Completed is null => Problem.InvalidQuery("completed must be true or false"),
            "priority" when query.Tasks.Priority is null =>
                Problem.InvalidQuery($"priority {TaskJson.PriorityMessage}"),
            "due_before" when query.Tasks.DueBefore is null => Problem.InvalidQuery("due_before must be Unix seconds"),
            _ => null,
        };
    }

    private static bool? ParseFlag(string text) => text switch { "true" => true, "false" => false, _ => null };

    private static int? ParseLimit(string text) =>
        text.Length == 0 || !text.All(char.IsAsciiDigit) || text.All(digit => digit == '0') ? null
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var limit)
            ? Math.Min(limit, LimitItemsMax) : LimitItemsMax;

    private static DateTimeOffset? ParseTime(string text) =>
        double.TryParse(text, Number, CultureInfo.InvariantCulture, out var seconds) && double.IsFinite(seconds)
            ? UnixSeconds.ToBound(seconds)
            : null;
}
