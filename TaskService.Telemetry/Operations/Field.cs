using System.Globalization;

namespace TaskService.Telemetry.Operations;

/// <summary>One named value of an operation or a log line.</summary>
/// <param name="Key">Lower case with underscores; a dot goes one level down.</param>
/// <param name="Value">The value.</param>
public readonly record struct Field(string Key, FieldValue Value);

/// <summary>The type of a <see cref="FieldValue"/>.</summary>
public enum FieldKind
{
    Null,
    Text,
    Integer,
    Number,
    Boolean,
    Duration,

    /// <summary>A value that formats itself, such as an address.</summary>
    Formatted,

    /// <summary>Several values.</summary>
    List,
}

/// <summary>A value of a field, kept without boxing, so that setting one allocates nothing.</summary>
public readonly record struct FieldValue
{
    // Nesting of lists: one may contain itself, and a stack overflow cannot be caught.
    private const int ListsMax = 4;

    private const int BytesOfItem = 24;

    private readonly object? reference;
    private readonly long bits;

    private FieldValue(FieldKind kind, object? reference, long bits) =>
        (Kind, this.reference, this.bits) = (kind, reference, bits);

    public FieldKind Kind { get; }

    /// <summary>The text of a <see cref="FieldKind.Text"/>, else null.</summary>
    public string? Text => reference as string;

    /// <summary>The value of a <see cref="FieldKind.Formatted"/>, else null.</summary>
    public IUtf8SpanFormattable? Formatted => reference as IUtf8SpanFormattable;

    /// <summary>The values of a <see cref="FieldKind.List"/>, else none.</summary>
    public IReadOnlyList<FieldValue> Items => reference as FieldValue[] ?? [];

    /// <summary>
    /// The value of a <see cref="FieldKind.Integer"/>, or the microseconds of a <see cref="FieldKind.Duration"/>.
    /// </summary>
    public long Integer => bits;

    /// <summary>
    /// The value as an object, for APIs that need one: a duration as its milliseconds, a list as an array.
    /// </summary>
    internal object? ToObject() => Kind switch
    {
        FieldKind.Text => Text,
        FieldKind.Integer => Integer,
        FieldKind.Number => Number,
        FieldKind.Boolean => Boolean,
        FieldKind.Duration => Integer / 1000.0,
        FieldKind.Formatted => Formatted!.ToString(),
        FieldKind.List => Items.Select(item => item.ToObject()).ToArray(),
        _ => null,
    };

    /// <summary>An estimate of the memory it references: two bytes a character, and the items of a list.</summary>
    internal long BytesEstimate => Kind switch
    {
        FieldKind.Text => 2L * Text!.Length,
        FieldKind.List => bits,
        _ => 0,
    };

    public double Number => BitConverter.Int64BitsToDouble(bits);

    public bool Boolean => bits != 0;

    public static implicit operator FieldValue(string? value) =>
        value is null ? default : new(FieldKind.Text, value, 0);

    public static implicit operator FieldValue(long value) => new(FieldKind.Integer, null, value);

    public static implicit operator FieldValue(double value) =>
        new(FieldKind.Number, null, BitConverter.DoubleToInt64Bits(value));

    public static implicit operator FieldValue(bool value) => new(FieldKind.Boolean, null, value ? 1 : 0);

    /// <summary>Written as milliseconds with three decimals.</summary>
    public static implicit operator FieldValue(TimeSpan value) =>
        new(FieldKind.Duration, null, value.Ticks / TimeSpan.TicksPerMicrosecond);

    /// <summary>
    /// Formatted as text only when it is written, without a string. It must not change any more.
    /// </summary>
    public static FieldValue FromFormattable(IUtf8SpanFormattable? value) =>
        value is null ? default : new(FieldKind.Formatted, value, 0);

    /// <summary>The sum of two numbers of one kind, or the number of an integer and a number; else null.</summary>
    public static FieldValue operator +(FieldValue left, FieldValue right) => (left.Kind, right.Kind) switch
    {
        (FieldKind.Integer, FieldKind.Integer) => left.bits + right.bits,
        (FieldKind.Duration, FieldKind.Duration) => new FieldValue(FieldKind.Duration, null, left.bits + right.bits),
        (FieldKind.Number, FieldKind.Number) => left.Number + right.Number,
        (FieldKind.Integer, FieldKind.Number) => left.Integer + right.Number,
        (FieldKind.Number, FieldKind.Integer) => left.Number + right.Integer,
        _ => default,
    };

    /// <inheritdoc cref="op_Addition"/>
    public static FieldValue Add(FieldValue left, FieldValue right) => left + right;

    /// <summary>Several values; they are copied.</summary>
    public static FieldValue FromList(params ReadOnlySpan<FieldValue> items)
    {
        // Computed once here: lists may be nested.
        long bytes = 0;
        foreach (var item in items)
        {
            bytes += BytesOfItem + item.BytesEstimate;
        }
        return new(FieldKind.List, items.ToArray(), bytes);
    }

    /// <summary>
    /// Converts any object: numbers and booleans as such, a date as <c>2013-12-10</c>, a time as Unix seconds, a
    /// sequence as a list, anything else, a decimal as well, as its invariant text; an object whose conversion throws,
    /// as the name of its type.
    /// </summary>
    public static FieldValue From(object? value)
    {
        var itemsLeft = FieldList.ListItemsMax;
        return From(value, ListsMax, ref itemsLeft);
    }

    private static FieldValue From(object? value, int lists, ref int itemsLeft)
    {
        try
        {
            return value is System.Collections.IEnumerable items and not string && lists > 0
                ? FromItems(items, lists - 1, ref itemsLeft)
                : Convert(value);
        }
        catch (Exception)
        {
            // Foreign code may throw anything, and must not lose the event.
            return value!.GetType().FullName;
        }
    }

    private static FieldValue FromItems(System.Collections.IEnumerable items, int lists, ref int itemsLeft)
    {
        var list = new List<FieldValue>();
        foreach (var item in items)
        {
            if (itemsLeft == 0)
            {
                break;
            }
            itemsLeft--;
            list.Add(From(item, lists, ref itemsLeft));
        }
        return FromList([.. list]);
    }

    private static FieldValue Convert(object? value) => value switch
    {
        null => default,
        FieldValue same => same,
        string text => text,
        DateOnly date => date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
        DateTime time => Seconds(time.ToUniversalTime()),
        DateTimeOffset time => Seconds(time.UtcDateTime),
        System.Collections.IEnumerable => value.GetType().FullName,
        bool flag => flag,
        byte or sbyte or short or ushort or int or uint or long =>
            System.Convert.ToInt64(value, CultureInfo.InvariantCulture),
        float or double => System.Convert.ToDouble(value, CultureInfo.InvariantCulture),
        TimeSpan duration => duration,
        IFormattable formattable => formattable.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString(),
    };

    private static FieldValue Seconds(DateTime utc) =>
        (utc - DateTime.UnixEpoch).Ticks / (double)TimeSpan.TicksPerSecond;
}
