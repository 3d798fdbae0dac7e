using System.Text.RegularExpressions;

namespace TaskService.Configuration;

/// <summary>Everything that is wrong with a configuration, one line each: <c>file:line: path: message</c>.</summary>
internal sealed partial class ConfigProblems
{
    private readonly List<string> lines = [];
    private readonly List<string> warnings = [];

    public IReadOnlyList<string> Lines => lines;

    /// <summary>What was ignored, and keeps nobody from starting.</summary>
    public IReadOnlyList<string> Warnings => warnings;

    public void Add(string where, string path, string message) => lines.Add(Line(where, path, message));

    public void Warn(string where, string path, string message) => warnings.Add(Line(where, path, message));

    /// <summary>
    /// With a blank for what would end the line, or do something to a terminal, and without passwords of URLs.
    /// </summary>
    public static string OneLine(string text) =>
        WithoutUserInfo(
            string.Concat(text.Select(c => char.IsControl(c) || c is '\u2028' or '\u2029' ? ' ' : c)));

    /// <summary>A secret as it is shown; an empty one is none.</summary>
    public static string Masked(string secret) => secret.Length == 0 ? "" : "***";

    /// <summary>A text that may have URLs in it, without their users and passwords.</summary>
    public static string WithoutUserInfo(string text) => UserInfo().Replace(text, "***");

    /// <summary>
    /// The end of a message about a name that is not known: what is allowed, or what was probably meant.
    /// </summary>
    public static string Allowed(string given, IEnumerable<string> allowed)
    {
        var names = allowed.ToList();
        var nearest = names.MinBy(name => Distance(given, name));
        return nearest is not null && Distance(given, nearest) <= Math.Max(1, nearest.Length / 3)
            ? $" (did you mean \"{nearest}\"?)"
            : names.Count == 0 ? "" : $" (allowed: {string.Join(", ", names)})";
    }

    private static string Line(string where, string path, string message) =>
        OneLine(path.Length == 0 ? $"{where}: {message}" : $"{where}: {path}: {message}");

    /// <summary>
    /// How many characters must be changed, added, left out, or swapped with the next one (optimal string alignment).
    /// </summary>
    private static int Distance(string a, string b)
    {
        var d = Enumerable.Range(0, a.Length + 1).Select(_ => new int[b.Length + 1]).ToArray();
        for (var i = 0; i <= a.Length; i++)
        {
            for (var j = 0; j <= b.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    d[i][j] = i + j;
                    continue;
                }
                var same = char.ToLowerInvariant(a[i - 1]) == char.ToLowerInvariant(b[j - 1]);
                d[i][j] = Math.Min(Math.Min(d[i - 1][j], d[i][j - 1]) + 1, d[i - 1][j - 1] + (same ? 0 : 1));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    d[i][j] = Math.Min(d[i][j], d[i - 2][j - 2] + 1);
                }
            }
        }
        return d[a.Length][b.Length];
    }

    // A password that is not escaped may have any character but these; then it ends at the last @.
    [GeneratedRegex("""(?<=://)[^\s"]+(?=@)""")]
    private static partial Regex UserInfo();
}

/// <summary>The configuration cannot be used.</summary>
internal sealed class ConfigException(IReadOnlyList<string> problems) : Exception(string.Join('\n', problems))
{
    public IReadOnlyList<string> Problems { get; } = problems;
}
