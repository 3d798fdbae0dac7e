namespace TaskService.Configuration;

/// <summary>A check of <c>operations.health.checks</c>.</summary>
/// <param name="Name">In the report.</param>
/// <param name="Level">It is run when that or a higher one is asked for.</param>
/// <param name="TimeMax">Beyond, it has failed.</param>
/// <param name="Kind">What it looks at.</param>
/// <param name="Target">The URL, the directory or the table.</param>
/// <param name="BytesMin">Of free space.</param>
internal sealed record HealthCheckSettings(
    string Name, int Level, TimeSpan TimeMax, HealthCheckKind Kind, string Target, long BytesMin)
{
    private static readonly (string Key, HealthCheckKind Kind)[] Kinds =
    [
        ("url", HealthCheckKind.Url), ("free-space", HealthCheckKind.FreeSpace),
        ("at-least-one", HealthCheckKind.AtLeastOne),
    ];

    /// <param name="section">The section <c>operations.health</c>.</param>
    /// <param name="tables">Of the entities.</param>
    public static IReadOnlyList<HealthCheckSettings> Read(ConfigSection section, IReadOnlyCollection<string> tables)
    {
        var names = new HashSet<string>();
        var checks = new List<HealthCheckSettings>();
        foreach (var (_, item) in section.List("checks").Sections())
        {
            var check = ReadOne(item, tables);
            checks.Add(check);
            if (!names.Add(check.Name))
            {
                item.Problem("name", $"\"{check.Name}\" is the name of another check already");
            }
        }
        return checks;
    }

    private static HealthCheckSettings ReadOne(ConfigSection item, IReadOnlyCollection<string> tables)
    {
        var given = Kinds.Where(kind => item.Keys.Contains(kind.Key)).ToList();
        if (given.Count != 1)
        {
            item.Problem("", $"must have one of {string.Join(", ", Kinds.Select(kind => kind.Key))}");
        }
        foreach (var (other, _) in Kinds)
        {
            item.Allow(other);
        }
        var (key, kind) = given.Count > 0 ? given[0] : Kinds[0];
        var target = given.Count > 0 ? item.Text(key, "", WithoutUser) : "";
        var problem = kind switch
        {
            _ when given.Count == 0 => null,
            HealthCheckKind.Url when !IsUrl(target) => $"must be a URL of http or https, not \"{WithoutUser(target)}\"",
            HealthCheckKind.FreeSpace when target.Length == 0 => "must name a directory",
            HealthCheckKind.AtLeastOne when !tables.Contains(target) =>
                $"\"{target}\" is not a table{ConfigProblems.Allowed(target, tables)}",
            _ => null,
        };
        if (problem is not null)
        {
            item.Problem(key, problem);
        }
        var bytesMin = kind == HealthCheckKind.FreeSpace
            ? item.Integer("bytes-min", 1L << 30, 1, long.MaxValue) : 0;
        var usualName = kind == HealthCheckKind.Url ? WithoutUser(target) : $"{key}_{target}";
        return new HealthCheckSettings(
            item.Text("name", usualName.Replace(',', '_')),
            (int)item.Integer("level", 1, 0, 1_000_000),
            TimeSpan.FromMilliseconds(item.Integer("timeout-ms", 3_000, 1, 600_000)),
            kind,
            target,
            bytesMin);
    }

    private static bool IsUrl(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var url) && (url.Scheme == "http" || url.Scheme == "https");

    /// <summary>A URL without what may be secret in it.</summary>
    private static string WithoutUser(string text) => Uri.TryCreate(text, UriKind.Absolute, out var url)
        ? url.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped)
        : text;
}

/// <summary>What a check looks at.</summary>
internal enum HealthCheckKind
{
    /// <summary>Whether GET of a URL is answered with 2xx.</summary>
    Url,

    /// <summary>The free space of the disk that a directory is on.</summary>
    FreeSpace,

    /// <summary>Whether something is stored in a table.</summary>
    AtLeastOne,
}
