namespace TaskService.Telemetry.Operations;

/// <summary>
/// Fields in the order in which they were first set. A dotted key is a path: <c>a.b</c> is the member <c>b</c> of
/// <c>a</c>, so that <c>a</c> has no value of its own. Not safe for use by several threads at once.
/// </summary>
public sealed class FieldList
{
    /// <summary>More fields than this are not set.</summary>
    public const int ItemsMax = 256;

    /// <summary>More values than this are not put into one list.</summary>
    public const int ListItemsMax = 1_000;

    private Field[] items = new Field[4];

    public int Count { get; private set; }

    public ReadOnlySpan<Field> Items => items.AsSpan(0, Count);

    /// <summary>
    /// Sets a field. One with the same key keeps its position and gets the new value; fields below it are removed.
    /// </summary>
    /// <returns>Null on success, else the reason: a key above has a value, or the list is full.</returns>
    public string? Set(string key, FieldValue value)
    {
        if (IndexOf(key) is >= 0 and var index)
        {
            items[index] = new Field(key, value);
            return null;
        }
        if (HasValueAbove(key))
        {
            return "below-a-value";
        }
        RemoveBelow(key);
        if (Count == ItemsMax)
        {
            return "fields-max";
        }
        Append(key, value);
        return null;
    }

    /// <summary>Adds to a number, which begins at 0.</summary>
    /// <inheritdoc cref="Set" path="/returns"/>
    public string? Add(string key, FieldValue number)
    {
        var sum = IndexOf(key) < 0 ? number : items[IndexOf(key)].Value + number;
        return sum.Kind is FieldKind.Integer or FieldKind.Number or FieldKind.Duration
            ? Set(key, sum)
            : "not-a-number";
    }

    /// <summary>Adds to a list, which begins empty.</summary>
    /// <inheritdoc cref="Set" path="/returns"/>
    public string? AddItem(string key, FieldValue item)
    {
        if (IndexOf(key) is not (>= 0 and var index))
        {
            return Set(key, FieldValue.FromList(item));
        }
        var list = items[index].Value;
        if (list.Kind != FieldKind.List)
        {
            return "not-a-list";
        }
        return list.Items.Count < ListItemsMax
            ? Set(key, FieldValue.FromList([.. list.Items, item]))
            : "list-items-max";
    }

    /// <summary>Adds a field at the end, without a check for a duplicate key.</summary>
    public void Append(string key, FieldValue value)
    {
        if (Count == items.Length)
        {
            Array.Resize(ref items, Count * 2);
        }
        items[Count++] = new Field(key, value);
    }

    public void Append(ReadOnlySpan<Field> fields)
    {
        foreach (var field in fields)
        {
            Append(field.Key, field.Value);
        }
    }

    public void Clear()
    {
        Array.Clear(items, 0, Count);
        Count = 0;
    }

    private static bool IsBelow(string key, string above) =>
        key.Length > above.Length && key[above.Length] == '.' && key.StartsWith(above, StringComparison.Ordinal);

    private int IndexOf(string key)
    {
        for (var i = 0; i < Count; i++)
        {
            if (items[i].Key == key)
            {
                return i;
            }
        }
        return -1;
    }

    private bool HasValueAbove(string key)
    {
        if (!key.Contains('.', StringComparison.Ordinal))
        {
            return false;
        }
        foreach (var field in Items)
        {
            if (IsBelow(key, field.Key))
            {
                return true;
            }
        }
        return false;
    }

    private void RemoveBelow(string key)
    {
        var kept = 0;
        for (var i = 0; i < Count; i++)
        {
            if (!IsBelow(items[i].Key, key))
            {
                items[kept++] = items[i];
            }
        }
        Array.Clear(items, kept, Count - kept);
        Count = kept;
    }
}
