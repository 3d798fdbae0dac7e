using System.Globalization;
using System.Text.RegularExpressions;

namespace TaskService.Telemetry.Operations;

/// <summary>The name of a metric, of low cardinality.</summary>
/// <param name="parts">The short name, from the general to the specific; at least one.</param>
/// <param name="tags">Distinguish metrics with the same short name.</param>
public sealed partial class MetricName(
    IReadOnlyList<string> parts, IReadOnlyList<KeyValuePair<string, string>>? tags = null)
{
    // So much of a query distinguishes it from others, and bounds the time.
    private const int QueryCharactersMax = 4096;
    private const int TimeoutMs = 1000;

    public IReadOnlyList<string> Parts { get; } = parts;

    public IReadOnlyList<KeyValuePair<string, string>> Tags { get; } = tags ?? [];

    /// <summary>The name for systems without tags: the parts, then the values of the tags.</summary>
    public IReadOnlyList<string> Flat => [.. Parts, .. Tags.Select(tag => tag.Value)];

    /// <summary>
    /// The name of a finished operation. A request with <c>method</c>, <c>route</c> and <c>status</c> is <c>route</c>
    /// with these as tags, a type that ends in <c>sql</c> with a <c>query</c> is <c>sql</c> with that query simplified,
    /// and any other is its type, split at dots.
    /// </summary>
    public static MetricName Of(OperationRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        return record.Key.ToName();
    }

    /// <summary>
    /// Normalizes a query: removes columns, values, blanks, comments, and all but the first 4,096 characters. No
    /// literal of standard SQL is left, as in PostgreSQL and SQLite.
    /// </summary>
    public static string Simplify(string query)
    {
        ArgumentNullException.ThrowIfNull(query);
        try
        {
            // Values first: one may contain text that looks like SQL, of which a part would be left.
            var text = Token().Replace(query.Length > QueryCharactersMax ? query[..QueryCharactersMax] : query, Mask);
            text = Blanks().Replace(text, " ").Trim();
            text = SelectedColumns().Replace(text, "$1 $2");
            text = Inserted().Replace(text, "$1");
            text = SetColumns().Replace(text, "$1 $2");
            return ListOfValues().Replace(text, "$1 (?)");
        }
        catch (RegexMatchTimeoutException)
        {
            // One name for all queries that time out is better than an operation that is not counted.
            return "?";
        }
    }

    private static string Mask(Match token) =>
        token.Groups["kept"].Success ? token.Value : token.Groups["comment"].Success ? " " : "?";

    [GeneratedRegex(
        """
        (?<kept> "[^"]*"? | `[^`]*`? | :: | @@\w+ )         # names in quotes, casts, variables of the server
        | (?<comment> --[^\n]* | /\*.*?(\*/|\z) )
        | \b[eE]'( \\. | '' | [^'\\] )*'?                   # text with escapes
        | ( \b[bBnNxX] )?'( '' | [^'] )*'?                  # text and bits
        | \$(?<tag>\w*)\$.*?( \$\k<tag>\$ | \z )            # text in dollar quotes
        | @\w+ | :[A-Za-z_]\w* | \$\w+ | \?\d+ | %\(\w+\)s  # bind parameters
        | %s\b
        | (?<!\w)\.?\d[\w.]*                                # numbers
        """,
        RegexOptions.ExplicitCapture | RegexOptions.IgnorePatternWhitespace | RegexOptions.Singleline,
        TimeoutMs)]
    private static partial Regex Token();

    [GeneratedRegex(@"\s+", RegexOptions.None, TimeoutMs)]
    private static partial Regex Blanks();

    [GeneratedRegex(@"\b(SELECT) .*? (FROM)\b", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant, TimeoutMs)]
    private static partial Regex SelectedColumns();

    [GeneratedRegex(
        @"\b(INSERT INTO [^(]*?) ?\(.*", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant, TimeoutMs)]
    private static partial Regex Inserted();

    [GeneratedRegex(@"\b(SET) .*? (WHERE)\b", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant, TimeoutMs)]
    private static partial Regex SetColumns();

    [GeneratedRegex(
        @"\b(IN) ?\((?! ?SELECT\b)([^()]|\([^()]*\))*\)",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant,
        TimeoutMs)]
    private static partial Regex ListOfValues();
}

/// <summary>The key of operations with the same name; computed without allocating, but for new queries.</summary>
/// <param name="Type"><c>request</c> of one with a route, <c>sql</c> of one with a query, else the type.</param>
/// <param name="Text">The route, or the simplified query.</param>
internal readonly record struct OperationKey(string Type, string? Method, string? Text, long Status)
{
    // A service has few queries, and to simplify one takes microseconds. Long ones are not cached, to save memory.
    private const int CachedCharactersMax = 4096;

    private static readonly BoundedCache<string, string> Simplified = new(1_000, MetricName.Simplify);

    public static OperationKey Of(string type, ReadOnlySpan<Field> fields)
    {
        if (type == "request"
            && Find(fields, "method").Text is { } method
            && Find(fields, "route").Text is { } route
            && Find(fields, "status") is { Kind: FieldKind.Integer } status)
        {
            return new OperationKey(type, Known(method), route, status.Integer);
        }
        var isSql = type == "sql" || type.EndsWith(".sql", StringComparison.Ordinal);
        return isSql && Find(fields, "query").Text is { } query
            ? new OperationKey("sql", null, Simplify(query), 0)
            : new OperationKey(type, null, null, 0);
    }

    // Only the parts that differ most: it is computed twice an operation.
    public override int GetHashCode() => HashCode.Combine(Text ?? Type, Status);

    public MetricName ToName() => this switch
    {
        { Method: not null, Text: not null } => new(
            ["route"],
            [
                new("method", Method),
                new("route", Text),
                new("status", Status.ToString(CultureInfo.InvariantCulture)),
            ]),
        { Text: not null } => new([Type], [new("query", Text)]),
        _ => new(Type.Split('.')),
    };

    private static string Simplify(string query) =>
        query.Length > CachedCharactersMax ? MetricName.Simplify(query) : Simplified[query];

    private static FieldValue Find(ReadOnlySpan<Field> fields, string key)
    {
        foreach (var field in fields)
        {
            if (field.Key == key)
            {
                return field.Value;
            }
        }
        return default;
    }

    /// <summary>Bounds the cardinality, since clients may make up methods: as http.request.method of
    /// OpenTelemetry.</summary>
    public static string Known(string method) =>
        method is "GET" or "HEAD" or "POST" or "PUT" or "PATCH" or "DELETE" or "OPTIONS" or "TRACE" or "CONNECT"
            ? method
            : "_OTHER";
}
